/** What is asked of a live migration, what it tells meanwhile, and how it ended. */

import type { Reconciled, VmHost } from "../rooms/reconcile.js";
import type { MigrationPredictor } from "./learned-costs.js";
import type { Prediction } from "./predict.js";

export type VmMode = "precopy" | "postcopy" | "hybrid";

export interface VmDestination extends VmHost {
  /** As the source's libvirtd reaches it. */
  readonly peerUri: string;
}

export interface VmMigrationOptions {
  readonly source: VmHost;
  readonly destination: VmDestination;
  readonly uuid: string;
  /** `auto` measures the dirty rate first, which takes a second while the guest just runs on. */
  readonly mode: VmMode | "auto";
  readonly deadlineMs: number;
  readonly maxDowntimeMs?: number;
  readonly predictor: MigrationPredictor;
  /** Keeps the room's state safe before its memory is in two places. Without it post-copy is never used. */
  readonly checkpoint?: (signal: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VmProgress) => void;
}

export type VmProgress =
  | { readonly step: "started"; readonly mode: VmMode; readonly because: string }
  | { readonly step: "iteration"; readonly iteration: number; readonly remainingBytes: number }
  | { readonly step: "checkpointed" }
  | { readonly step: "post-copy"; readonly because: string }
  | { readonly step: "reconciling" };

export interface VmMigrationOutcome {
  readonly outcome: "completed" | "rolled-back" | "failed";
  /** `none`: no copy is left; the room comes back from its checkpoint. */
  readonly owner: Reconciled["owner"];
  /** What was used in the end: a hybrid that never switched was pre-copy. */
  readonly mechanism: VmMode;
  readonly because: string;
  readonly totalMs: number;
  readonly bytes: number;
  readonly iterations: number;
  /** QEMU's own figure; wrong for post-copy. What players saw is measured at the players. */
  readonly hypervisorDowntimeMs?: number;
  readonly prediction?: Prediction;
  readonly checkpointed: boolean;
  readonly error?: Error;
  readonly unswept: readonly string[];
}

/** Short enough that nobody notices, long enough that an emulated guest gets there. */
export const defaultMaxDowntimeMs = 30;
