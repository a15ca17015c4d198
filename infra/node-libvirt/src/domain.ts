/** One domain. It holds the UUID only: each call looks it up afresh, so it stays right across restarts and moves. */
import type { Binding, Handle, NativeDomain, NativeParams } from "./binding.js";
import { LibvirtError, libvirtErrorCode } from "./errors.js";
import { type JobStats, parseJobStats } from "./jobs.js";
import { type MigrateOptions, migrateArguments } from "./migration.js";

const domainStates = [
  "nostate",
  "running",
  "blocked",
  "paused",
  "shutdown",
  "shutoff",
  "crashed",
  "pmsuspended",
] as const;
export type DomainState = (typeof domainStates)[number];

/** How a domain reaches the addon: the connection lends this. */
export interface DomainAccess {
  readonly binding: Binding;
  readonly handle: () => Handle;
  readonly run: <T>(call: () => Promise<T>) => Promise<T>;
}

const createFlags = { paused: 1 << 0, autodestroy: 1 << 1 } as const;
const undefineFlags = { managedSave: 1 << 0, snapshots: 1 << 1, nvram: 1 << 2 } as const;
const xmlFlags = { secure: 1 << 0, inactive: 1 << 1, migratable: 1 << 3 } as const;
const saveFlags = { running: 1 << 1, paused: 1 << 2 } as const;
const jobStatsFlags = { completed: 1 << 0, keepCompleted: 1 << 1 } as const;
const statsGroupDirtyRate = 1 << 9;
const speedFlagPostcopy = 1 << 0;

/** Memory written per second, as virDomainStartDirtyRateCalc sampled it. */
export interface DirtyRate {
  readonly status: "unstarted" | "measuring" | "measured";
  readonly mebibytesPerS?: number;
}

export class Domain {
  readonly name: string;
  readonly uuid: string;
  readonly #access: DomainAccess;

  /** Made by a `Connection`. */
  constructor(domain: NativeDomain, access: DomainAccess) {
    this.name = domain.name;
    this.uuid = domain.uuid;
    this.#access = access;
  }

  #call<T>(call: (binding: Binding, handle: Handle) => Promise<T>): Promise<T> {
    const { binding, handle, run } = this.#access;
    return run(() => call(binding, handle()));
  }

  /** Starts a defined domain. `paused`: its CPUs wait for `resume()`. */
  create(options: { paused?: boolean } = {}): Promise<void> {
    return this.#call((b, h) => b.create(h, this.uuid, options.paused ? createFlags.paused : 0));
  }

  /** Pulls the plug. */
  destroy(): Promise<void> {
    return this.#call((b, h) => b.destroy(h, this.uuid, 0));
  }

  /** Forgets the definition; a running domain goes on as a transient one. */
  undefine(options: { managedSave?: boolean; snapshots?: boolean; nvram?: boolean } = {}): Promise<void> {
    let flags = 0;
    if (options.managedSave) flags |= undefineFlags.managedSave;
    if (options.snapshots) flags |= undefineFlags.snapshots;
    if (options.nvram) flags |= undefineFlags.nvram;
    return this.#call((b, h) => b.undefine(h, this.uuid, flags));
  }

  suspend(): Promise<void> {
    return this.#call((b, h) => b.suspend(h, this.uuid));
  }

  resume(): Promise<void> {
    return this.#call((b, h) => b.resume(h, this.uuid));
  }

  /** `reason` is libvirt's virDomain<State>Reason. */
  async getState(): Promise<{ state: DomainState; reason: number }> {
    const [state, reason] = await this.#call((b, h) => b.getState(h, this.uuid));
    return { state: domainStates[state] ?? "nostate", reason };
  }

  /** False when this libvirt does not know the domain (any more). */
  async exists(): Promise<boolean> {
    try {
      await this.#call((b, h) => b.lookupByUuid(h, this.uuid));
      return true;
    } catch (error) {
      if (error instanceof LibvirtError && error.code === libvirtErrorCode.noDomain) return false;
      throw error;
    }
  }

  getXml(options: { inactive?: boolean; migratable?: boolean; secure?: boolean } = {}): Promise<string> {
    let flags = 0;
    if (options.secure) flags |= xmlFlags.secure;
    if (options.inactive) flags |= xmlFlags.inactive;
    if (options.migratable) flags |= xmlFlags.migratable;
    return this.#call((b, h) => b.getXml(h, this.uuid, flags));
  }

  /** Writes memory and devices to a file and stops the domain. `resumeAs`: what `restore` does with it. */
  save(path: string, options: { xml?: string; resumeAs?: "running" | "paused" } = {}): Promise<void> {
    const flags = options.resumeAs === undefined ? 0 : saveFlags[options.resumeAs];
    return this.#call((b, h) => b.save(h, this.uuid, path, options.xml ?? null, flags));
  }

  /**
   * Moves the running domain to another libvirt. Settles when it is over, which can be minutes.
   * A rejection does not say where the domain is: ask both sides.
   */
  async migrate(options: MigrateOptions): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    const { flags, params } = migrateArguments(options);
    const abort = () => {
      // Nothing to cancel any more is fine: the call itself reports how it ended.
      this.abortJob().catch(() => {});
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#call((b, h) => b.migrateToUri(h, this.uuid, options.destinationUri, params, flags));
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Switches a running migration that was started with `postcopy` to post-copy. */
  startPostCopy(): Promise<void> {
    return this.#call((b, h) => b.migrateStartPostCopy(h, this.uuid));
  }

  /** Longest pause QEMU may plan for the last pre-copy round. Kept by QEMU: set it before migrating. */
  setMaxDowntime(downtimeMs: number): Promise<void> {
    return this.#call((b, h) => b.migrateSetMaxDowntime(h, this.uuid, downtimeMs));
  }

  setMaxSpeed(mebibytesPerS: number, options: { postcopy?: boolean } = {}): Promise<void> {
    const flags = options.postcopy ? speedFlagPostcopy : 0;
    return this.#call((b, h) => b.migrateSetMaxSpeed(h, this.uuid, mebibytesPerS, flags));
  }

  /** Of the running job, or with `completed` of the last finished one (kept for the next reader). */
  async getJobStats(options: { completed?: boolean } = {}): Promise<JobStats> {
    const flags = options.completed ? jobStatsFlags.completed | jobStatsFlags.keepCompleted : 0;
    return parseJobStats(await this.#call((b, h) => b.getJobStats(h, this.uuid, flags)));
  }

  abortJob(): Promise<void> {
    return this.#call((b, h) => b.abortJob(h, this.uuid));
  }

  /** Starts sampling the dirty rate for this long; read it with `getDirtyRate` afterwards. */
  startDirtyRate(seconds: number): Promise<void> {
    return this.#call((b, h) => b.startDirtyRate(h, this.uuid, seconds));
  }

  async getDirtyRate(): Promise<DirtyRate> {
    const stats: NativeParams = await this.#call((b, h) => b.getStats(h, this.uuid, statsGroupDirtyRate));
    const status = (["unstarted", "measuring", "measured"] as const)[Number(stats["dirtyrate.calc_status"])];
    const rate = stats["dirtyrate.megabytes_per_second"];
    return {
      status: status ?? "unstarted",
      ...(typeof rate === "number" ? { mebibytesPerS: rate } : {}),
    };
  }
}
