/** Asynchronous, typed libvirt: connections, domains, live migration, job statistics, events. */
export type { ConnectOptions, LibvirtVersion } from "./connection.js";
export { Connection } from "./connection.js";
export type { DirtyRate, DomainState } from "./domain.js";
export { Domain } from "./domain.js";
export { LibvirtAddonMissingError, LibvirtError, libvirtErrorCode } from "./errors.js";
export { type ClosedReason, type LibvirtEvent, type LifecycleKind, stoppedMigrated } from "./events.js";
export type { JobStats, JobType } from "./jobs.js";
export type { MigrateOptions } from "./migration.js";

import { loadBinding } from "./binding.js";

/** Undefined when the addon loads, else the error that says what to do. */
export function addonProblem(): Error | undefined {
  try {
    loadBinding();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
