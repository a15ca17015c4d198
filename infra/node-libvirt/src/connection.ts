/** A connection to one libvirt, and its domains. */
import { EventEmitter } from "node:events";
import { type Binding, type Handle, loadBinding } from "./binding.js";
import { Domain, type DomainAccess } from "./domain.js";
import { LibvirtError } from "./errors.js";
import { type LibvirtEvent, parseEvent } from "./events.js";

export interface ConnectOptions {
  readonly readOnly?: boolean;
  /** Remote drivers only: a daemon that stays silent for interval x count is taken for dead. 0 turns it off. */
  readonly keepAlive?: { readonly intervalS: number; readonly count: number };
}

/** A hung daemon is noticed after 15 s, libvirt's own default pace being too slow for players. */
const defaultKeepAlive = { intervalS: 5, count: 3 };

export interface LibvirtVersion {
  /** `major.minor.release` of the hypervisor, such as QEMU's. */
  readonly hypervisor: string;
  readonly library: string;
}

const listFlags = { active: 1 << 0, inactive: 1 << 1 } as const;
const createFlags = { paused: 1 << 0, autodestroy: 1 << 1 } as const;
const restoreFlags = { running: 1 << 1, paused: 1 << 2 } as const;

/** libvirt packs versions as major * 1 000 000 + minor * 1 000 + release. */
function versionText(packed: number): string {
  return `${Math.floor(packed / 1_000_000)}.${Math.floor(packed / 1000) % 1000}.${packed % 1000}`;
}

export class Connection implements AsyncDisposable {
  readonly uri: string;
  readonly #binding: Binding;
  readonly #events: EventEmitter<{ event: [LibvirtEvent] }>;
  readonly #access: DomainAccess;
  #handle: Handle | undefined;

  private constructor(
    uri: string,
    binding: Binding,
    handle: Handle,
    events: EventEmitter<{ event: [LibvirtEvent] }>,
  ) {
    this.uri = uri;
    this.#binding = binding;
    this.#handle = handle;
    this.#events = events;
    this.#access = { binding, handle: () => this.#open(), run: settle };
  }

  /**
   * @throws {LibvirtAddonMissingError} when the addon is not built.
   * @throws {LibvirtError} when libvirt cannot be reached.
   */
  static async open(uri: string, options: ConnectOptions = {}): Promise<Connection> {
    const binding = loadBinding();
    const { intervalS, count } = options.keepAlive ?? defaultKeepAlive;
    const events = new EventEmitter<{ event: [LibvirtEvent] }>();
    events.setMaxListeners(0);
    const handle = await settle(() =>
      binding.open(uri, options.readOnly ? 1 : 0, intervalS, count, (...event) => {
        events.emit("event", parseEvent(...event));
      }),
    );
    return new Connection(uri, binding, handle, events);
  }

  #open(): Handle {
    if (this.#handle === undefined) throw new TypeError(`the libvirt connection to ${this.uri} is closed`);
    return this.#handle;
  }

  #call<T>(call: (binding: Binding, handle: Handle) => Promise<T>): Promise<T> {
    return settle(() => call(this.#binding, this.#open()));
  }

  /** Calls back for every event until the returned function is called. Does not keep the process alive. */
  onEvent(listener: (event: LibvirtEvent) => void): () => void {
    this.#events.on("event", listener);
    return () => this.#events.off("event", listener);
  }

  getHostname(): Promise<string> {
    return this.#call((b, h) => b.getHostname(h));
  }

  /** XML: CPU, guest architectures, security models. */
  getCapabilities(): Promise<string> {
    return this.#call((b, h) => b.getCapabilities(h));
  }

  async getVersion(): Promise<LibvirtVersion> {
    const [hypervisor, library] = await this.#call((b, h) => b.getVersion(h));
    return { hypervisor: versionText(hypervisor), library: versionText(library) };
  }

  async listDomains(which: "all" | "active" | "inactive" = "all"): Promise<Domain[]> {
    const flags = which === "all" ? 0 : listFlags[which];
    const domains = await this.#call((b, h) => b.listDomains(h, flags));
    return domains.map((domain) => new Domain(domain, this.#access));
  }

  async lookupByName(name: string): Promise<Domain> {
    return new Domain(await this.#call((b, h) => b.lookupByName(h, name)), this.#access);
  }

  async lookupByUuid(uuid: string): Promise<Domain> {
    return new Domain(await this.#call((b, h) => b.lookupByUuid(h, uuid)), this.#access);
  }

  /** Defines a persistent domain, not started. */
  async define(xml: string): Promise<Domain> {
    return new Domain(await this.#call((b, h) => b.defineXml(h, xml, 0)), this.#access);
  }

  /** Starts a transient domain: it is gone once stopped. `autodestroy`: it dies with this connection. */
  async create(xml: string, options: { paused?: boolean; autodestroy?: boolean } = {}): Promise<Domain> {
    let flags = 0;
    if (options.paused) flags |= createFlags.paused;
    if (options.autodestroy) flags |= createFlags.autodestroy;
    return new Domain(await this.#call((b, h) => b.createXml(h, xml, flags)), this.#access);
  }

  /** Starts a domain from a file that `Domain.save` wrote. */
  restore(path: string, options: { xml?: string; resumeAs?: "running" | "paused" } = {}): Promise<void> {
    const flags = options.resumeAs === undefined ? 0 : restoreFlags[options.resumeAs];
    return this.#call((b, h) => b.restore(h, path, options.xml ?? null, flags));
  }

  /** Idempotent. Calls under way finish first, on their own threads. */
  async close(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    this.#events.removeAllListeners();
    await settle(() => this.#binding.close(handle));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Runs a native call; a rejection becomes a `LibvirtError` whose stack names the caller. */
async function settle<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw LibvirtError.from(cause);
  }
}
