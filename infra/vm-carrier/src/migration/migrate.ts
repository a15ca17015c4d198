/** Live migration of one guest: choosing the mode, driving it, and knowing afterwards where the guest is. */

import { type Reconciled, reconcile } from "../rooms/reconcile.js";
import type { VmMigrationOptions, VmMigrationOutcome, VmMode } from "./migration-options.js";
import { MigrationRun } from "./migration-run.js";
import { planMigration } from "./plan-migration.js";

/** Both hosts have this long to say where the guest is. */
const reconcileTimeoutMs = 15_000;
/** Post-copy that still makes progress is waited for: giving it up would lose what came after the checkpoint. */
const postcopyPatienceMs = 60_000;

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

/**
 * Moves a guest. Never rejects for a failed migration: the outcome says where the guest is, and then exactly
 * one copy runs, or none and the room is to be restored from its checkpoint.
 * @throws {LibvirtError} when the source does not know the guest or cannot be reached to begin with.
 */
export async function migrateGuest(options: VmMigrationOptions): Promise<VmMigrationOutcome> {
  const { source, destination, uuid, predictor, onProgress } = options;
  const connection = await source.connect();
  try {
    const domain = await connection.lookupByUuid(uuid);
    const chosen = await planMigration(domain, options);
    const { mode, because, prediction } = chosen;
    onProgress?.({ step: "started", mode, because });
    const startedAt = performance.now();
    using run = new MigrationRun(connection, domain, chosen, options);
    let error: Error | undefined;
    try {
      await run.run();
    } catch (cause) {
      error = asError(run.abortReason ?? cause);
    }
    const totalMs = performance.now() - startedAt;
    let place: Pick<Reconciled, "owner" | "unswept"> = { owner: "destination", unswept: [] };
    if (error !== undefined) {
      onProgress?.({ step: "reconciling" });
      place = await reconcile(source, destination, uuid, {
        switched: run.switched,
        timeoutMs: run.switched ? postcopyPatienceMs : reconcileTimeoutMs,
      });
    }
    const outcome =
      place.owner === "destination" ? "completed" : place.owner === "source" ? "rolled-back" : "failed";
    const stats = outcome === "completed" ? await run.figures() : run.stats;
    const bytes = stats?.dataProcessedBytes ?? stats?.memoryProcessedBytes ?? 0;
    const mechanism: VmMode = run.switched ? mode : "precopy";
    if (outcome === "completed" && prediction !== undefined && run.setupMs !== undefined) {
      const { setupMs, switched } = run;
      predictor.learn(source.hostId, destination.hostId, {
        predicted: prediction,
        totalMs,
        setupMs,
        bytes,
        switched,
      });
    }
    return {
      outcome,
      ...place,
      mechanism,
      because,
      totalMs,
      bytes,
      iterations: stats?.iteration ?? run.iterations,
      ...(stats?.downtimeMs === undefined ? {} : { hypervisorDowntimeMs: stats.downtimeMs }),
      ...(prediction === undefined ? {} : { prediction }),
      checkpointed: run.checkpointed,
      ...(error === undefined ? {} : { error }),
    };
  } finally {
    void connection.close();
  }
}
