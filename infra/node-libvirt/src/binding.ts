/** The native addon as TypeScript sees it, loaded on first use so that importing this package never fails. */
import { createRequire } from "node:module";
import { LibvirtAddonMissingError } from "./errors.js";

declare const handleBrand: unique symbol;
/** An open connection inside the addon. */
export interface Handle {
  readonly [handleBrand]: true;
}

export interface NativeDomain {
  readonly name: string;
  readonly uuid: string;
  /** -1 while not running. */
  readonly id: number;
}

export type Param = readonly [name: string, kind: "s" | "i" | "u", value: string | number];
export type NativeParams = Readonly<Record<string, number | string>>;
export type NativeEvent = (
  type: "lifecycle" | "migration-iteration" | "job-completed" | "connection-closed",
  name: string,
  uuid: string,
  first: number,
  second: number,
  job: NativeParams,
) => void;

/** Every function settles with what libvirt answered, or rejects with `{ code, domain, level, message }`. */
export interface Binding {
  open(
    uri: string,
    readOnly: number,
    keepAliveS: number,
    keepAlives: number,
    sink: NativeEvent,
  ): Promise<Handle>;
  close(connection: Handle): Promise<void>;
  getHostname(connection: Handle): Promise<string>;
  getCapabilities(connection: Handle): Promise<string>;
  getVersion(connection: Handle): Promise<[hypervisor: number, library: number]>;
  listDomains(connection: Handle, flags: number): Promise<NativeDomain[]>;
  defineXml(connection: Handle, xml: string, flags: number): Promise<NativeDomain>;
  createXml(connection: Handle, xml: string, flags: number): Promise<NativeDomain>;
  lookupByName(connection: Handle, name: string): Promise<NativeDomain>;
  lookupByUuid(connection: Handle, uuid: string): Promise<NativeDomain>;
  create(connection: Handle, uuid: string, flags: number): Promise<void>;
  destroy(connection: Handle, uuid: string, flags: number): Promise<void>;
  undefine(connection: Handle, uuid: string, flags: number): Promise<void>;
  suspend(connection: Handle, uuid: string): Promise<void>;
  resume(connection: Handle, uuid: string): Promise<void>;
  getState(connection: Handle, uuid: string): Promise<[state: number, reason: number]>;
  getXml(connection: Handle, uuid: string, flags: number): Promise<string>;
  save(connection: Handle, uuid: string, path: string, xml: string | null, flags: number): Promise<void>;
  restore(connection: Handle, path: string, xml: string | null, flags: number): Promise<void>;
  migrateToUri(
    connection: Handle,
    uuid: string,
    destinationUri: string,
    params: readonly Param[],
    flags: number,
  ): Promise<void>;
  migrateStartPostCopy(connection: Handle, uuid: string): Promise<void>;
  migrateSetMaxDowntime(connection: Handle, uuid: string, downtimeMs: number): Promise<void>;
  migrateSetMaxSpeed(connection: Handle, uuid: string, mebibytesPerS: number, flags: number): Promise<void>;
  getJobStats(connection: Handle, uuid: string, flags: number): Promise<NativeParams>;
  abortJob(connection: Handle, uuid: string): Promise<void>;
  startDirtyRate(connection: Handle, uuid: string, seconds: number): Promise<void>;
  getStats(connection: Handle, uuid: string, groups: number): Promise<NativeParams>;
}

/**
 * Loads the addon. Node caches the module, so this is cheap after the first time.
 * @throws {LibvirtAddonMissingError} when it is not built or does not load here.
 */
export function loadBinding(): Binding {
  try {
    // Typed by hand: a native module has no declarations of its own.
    return createRequire(import.meta.url)("../build/Release/addon.node") as Binding;
  } catch (cause) {
    throw new LibvirtAddonMissingError(cause);
  }
}
