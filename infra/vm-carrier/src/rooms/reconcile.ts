/** After a failed or timed-out call: where is the guest, and making sure that exactly one copy runs. */
import { setTimeout as delay } from "node:timers/promises";
import { type Connection, LibvirtError, libvirtErrorCode } from "@centroid/node-libvirt";

/** One side of a migration. */
export interface VmHost {
  readonly hostId: string;
  /** A new connection: the old one may have died with its daemon. */
  readonly connect: () => Promise<Connection>;
}

type Side = "source" | "destination";

/**
 * What one host says about a guest. `split`: in post-copy, its memory is in two places; `moving` while that
 * still goes on, else it has failed.
 */
export type GuestView = "absent" | "running" | "paused" | "moving" | "split" | "unreachable";

export interface GuestOwnership {
  /** `unknown`: cannot be told until an unreachable host answers. */
  readonly owner: Side | "none" | "unknown";
  /** In this order: the copy that must not run goes first. */
  readonly actions: readonly { readonly side: Side; readonly action: "destroy" | "resume" }[];
}

/**
 * Which copy is the guest, and what is to be done with the other. Pure.
 * `switched`: post-copy was asked for, so the destination's copy is the newer one.
 */
export function judge(source: GuestView, destination: GuestView, switched: boolean): GuestOwnership {
  const remove = (side: Side, view: GuestView): GuestOwnership["actions"] =>
    view === "absent" || view === "unreachable" ? [] : [{ side, action: "destroy" }];
  const keep = (owner: Side, resume: boolean): GuestOwnership => {
    const other = owner === "source" ? "destination" : "source";
    const actions = [...remove(other, owner === "source" ? destination : source)];
    if (resume) actions.push({ side: owner, action: "resume" });
    return { owner, actions };
  };
  const nothingLeft: GuestOwnership = {
    owner: "none",
    actions: [...remove("destination", destination), ...remove("source", source)],
  };

  switch (source) {
    case "running":
      return destination === "running" && switched ? keep("destination", false) : keep("source", false);
    case "paused":
      // QEMU stops the source before the destination runs, so a destination that runs has everything.
      if (destination === "running") return keep("destination", false);
      // It may run, unseen: resuming the source now could make two of it.
      if (destination === "unreachable") return { owner: "unknown", actions: [] };
      return destination === "absent" || destination === "paused" ? keep("source", true) : nothingLeft;
    case "absent":
      if (destination === "running") return keep("destination", false);
      return destination === "unreachable" ? { owner: "unknown", actions: [] } : nothingLeft;
    case "moving":
    case "split":
      if (destination === "running") return keep("destination", false);
      return destination === "unreachable" ? { owner: "unknown", actions: [] } : nothingLeft;
    case "unreachable":
      if (destination === "running") return keep("destination", false);
      return destination === "moving" || destination === "split"
        ? nothingLeft
        : { owner: "unknown", actions: [] };
  }
}

/** virDomainPausedReason and virDomainRunningReason of post-copy. */
const pausedReason = { postcopy: 12, postcopyFailed: 13 } as const;
const runningReason = { postcopy: 10, postcopyFailed: 11 } as const;

/** How long a daemon that hangs may hold up the verdict. */
const askTimeoutMs = 2000;
const pollIntervalMs = 100;
/** A destination in post-copy whose source is gone will not get the rest; the two answers are not of one instant. */
const orphanGraceMs = 1000;

async function withConnection<T>(host: VmHost, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await host.connect();
  try {
    return await use(connection);
  } finally {
    void connection.close();
  }
}

async function lookAt(host: VmHost, uuid: string): Promise<GuestView> {
  try {
    return await withConnection(host, async (connection) => {
      const domain = await connection.lookupByUuid(uuid);
      const { state, reason } = await domain.getState();
      switch (state) {
        case "running":
        case "blocked":
          if (reason === runningReason.postcopy) return "moving";
          return reason === runningReason.postcopyFailed ? "split" : "running";
        case "paused":
          if (reason === pausedReason.postcopy) return "moving";
          return reason === pausedReason.postcopyFailed ? "split" : "paused";
        default:
          return "absent";
      }
    });
  } catch (error) {
    if (error instanceof LibvirtError && error.code === libvirtErrorCode.noDomain) return "absent";
    return "unreachable";
  }
}

/** What this host says, or `unreachable` when it takes too long to. */
function viewGuest(host: VmHost, uuid: string): Promise<GuestView> {
  const timeout = delay(askTimeoutMs, "unreachable" as const, { ref: false });
  return Promise.race([lookAt(host, uuid), timeout]);
}

export interface Reconciled {
  readonly owner: GuestOwnership["owner"];
  readonly source: GuestView;
  readonly destination: GuestView;
  /** Hosts where a stopped or stale copy may be left, because they did not answer. */
  readonly unswept: readonly string[];
}

/**
 * Asks both hosts until the answer is certain or `timeoutMs` is over, then removes what must not run.
 * Safe to repeat.
 */
export async function reconcile(
  source: VmHost,
  destination: VmHost,
  uuid: string,
  options: { readonly switched: boolean; readonly timeoutMs: number },
): Promise<Reconciled> {
  const deadline = performance.now() + options.timeoutMs;
  const hosts = { source, destination };
  let orphanedAt: number | undefined;
  for (;;) {
    const [atSource, atDestination] = await Promise.all([
      viewGuest(source, uuid),
      viewGuest(destination, uuid),
    ]);
    const orphaned = atSource === "absent" && atDestination === "moving";
    orphanedAt = orphaned ? (orphanedAt ?? performance.now()) : undefined;
    const hopeless = orphanedAt !== undefined && performance.now() - orphanedAt > orphanGraceMs;
    const unsettled = [atSource, atDestination].some((view) => view === "moving" || view === "unreachable");
    const verdict = judge(atSource, atDestination, options.switched);
    const timeLeft = performance.now() < deadline;
    if (!unsettled || hopeless || !timeLeft) {
      let failed = false;
      for (const { side, action } of verdict.actions) {
        try {
          await withConnection(hosts[side], async (connection) => {
            const domain = await connection.lookupByUuid(uuid);
            await (action === "destroy" ? domain.destroy() : domain.resume());
          });
        } catch (error) {
          const gone = error instanceof LibvirtError && error.code === libvirtErrorCode.noDomain;
          // Resuming after a failed destroy could make two: look again instead.
          if (!gone || action === "resume") failed = true;
          if (failed) break;
        }
      }
      if (!failed || !timeLeft) {
        return {
          owner: failed ? "unknown" : verdict.owner,
          source: atSource,
          destination: atDestination,
          unswept: [
            ...(atSource === "unreachable" ? [source.hostId] : []),
            ...(atDestination === "unreachable" ? [destination.hostId] : []),
          ],
        };
      }
    }
    await delay(pollIntervalMs);
  }
}
