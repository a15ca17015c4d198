/** libvirt's events as a tagged union. */
import type { NativeEvent, NativeParams } from "./binding.js";
import { type JobStats, parseJobStats } from "./jobs.js";

const lifecycleKinds = [
  "defined",
  "undefined",
  "started",
  "suspended",
  "resumed",
  "stopped",
  "shutdown",
  "pmsuspended",
  "crashed",
] as const;
/** virDomainEventStoppedDetailType: the guest goes on at another host. */
export const stoppedMigrated = 3;

export type LifecycleKind = (typeof lifecycleKinds)[number] | "unknown";

interface DomainEvent {
  readonly name: string;
  readonly uuid: string;
}

export type LibvirtEvent =
  | (DomainEvent & {
      readonly type: "lifecycle";
      readonly kind: LifecycleKind;
      /** libvirt's virDomainEvent<Kind>DetailType. */
      readonly detail: number;
    })
  | (DomainEvent & { readonly type: "migration-iteration"; readonly iteration: number })
  | (DomainEvent & { readonly type: "job-completed"; readonly job: JobStats })
  /** The daemon went away or stopped answering keep-alives; every later call fails. */
  | { readonly type: "connection-closed"; readonly reason: ClosedReason };

const closedReasons = ["error", "eof", "keepalive", "client"] as const;
export type ClosedReason = (typeof closedReasons)[number] | "unknown";

/** Builds the event from the flat arguments the addon calls with. */
export function parseEvent(
  type: Parameters<NativeEvent>[0],
  name: string,
  uuid: string,
  first: number,
  second: number,
  job: NativeParams,
): LibvirtEvent {
  switch (type) {
    case "lifecycle":
      return { type, name, uuid, kind: lifecycleKinds[first] ?? "unknown", detail: second };
    case "migration-iteration":
      return { type, name, uuid, iteration: first };
    case "job-completed":
      return { type, name, uuid, job: parseJobStats({ ...job, type: jobTypeCompleted }) };
    case "connection-closed":
      return { type, reason: closedReasons[first] ?? "unknown" };
  }
}

/** virDomainJobType: the event does not carry it. */
const jobTypeCompleted = 3;
