/** Live migration of one guest: choosing the mode, driving it, and knowing afterwards where the guest is. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Connection,
  type Domain,
  type JobStats,
  LibvirtError,
  type LibvirtEvent,
} from "@centroid/node-libvirt";
import { chooseMode, type MigrationPredictor, type Prediction } from "./predict.js";
import { type Reconciled, reconcile, type VmHost } from "./reconcile.js";

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
const defaultMaxDowntimeMs = 30;
/** A pass that leaves more than this share of what it found is not worth another one. */
const worthwhileGain = 0.1;
/** Hybrid keeps this share of the deadline for post-copy, which cannot be taken back. */
const switchAtShare = 0.4;
/** Both hosts have this long to say where the guest is. */
const reconcileTimeoutMs = 15_000;
const figuresTimeoutMs = 500;
/** virDomainEventStoppedDetailType: the ordinary end at the source. */
const stoppedMigrated = 3;
/** A call whose guest is gone usually fails by itself within this. */
const orphanGraceMs = 1000;
/** A cancelled job ends within this, or its libvirt hangs. Post-copy, which cannot be cancelled, goes on meanwhile. */
const abortGraceMs = 5000;
/** Post-copy that still makes progress is waited for: giving it up would lose what came after the checkpoint. */
const postcopyPatienceMs = 60_000;
const dirtyRateSeconds = 1;
const dirtyRatePollMs = 50;

async function measureDirtyRate(
  domain: Domain,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    await domain.startDirtyRate(dirtyRateSeconds);
    for (let tries = 0; tries < 60; tries++) {
      await delay(dirtyRatePollMs, undefined, { ref: true, ...(signal ? { signal } : {}) });
      const rate = await domain.getDirtyRate();
      if (rate.status === "measured") return (rate.mebibytesPerS ?? 0) * 2 ** 20;
    }
  } catch (error) {
    signal?.throwIfAborted();
    // A hypervisor that cannot measure it leaves the choice to what hybrid sees on its way.
    if (!(error instanceof LibvirtError)) throw error;
  }
  return undefined;
}

interface Plan {
  readonly mode: VmMode;
  readonly because: string;
  readonly prediction?: Prediction;
  /** Pre-copy is not expected to end in time: one pass, then post-copy. */
  readonly hopeless?: boolean;
}

async function plan(domain: Domain, options: VmMigrationOptions): Promise<Plan> {
  const { mode, source, destination, predictor, deadlineMs } = options;
  const memory = /<memory unit='KiB'>(\d+)</.exec(await domain.getXml())?.[1];
  const memoryBytes = Number(memory ?? 0) * 1024;
  const maxDowntimeMs = options.maxDowntimeMs ?? defaultMaxDowntimeMs;
  if (mode !== "auto") {
    const prediction = predictor.predict(source.hostId, destination.hostId, {
      memoryBytes,
      dirtyBytesPerS: 0,
      maxDowntimeMs,
    });
    return { mode, because: "asked for", prediction };
  }
  const dirtyBytesPerS = await measureDirtyRate(domain, options.signal);
  // Sampling underrates a guest that writes a few pages all the time, so the way to post-copy stays open.
  const fallback = options.checkpoint === undefined ? "precopy" : "hybrid";
  if (dirtyBytesPerS === undefined) return { mode: fallback, because: "the dirty rate is not known" };
  const prediction = predictor.predict(source.hostId, destination.hostId, {
    memoryBytes,
    dirtyBytesPerS,
    maxDowntimeMs,
  });
  const choice = chooseMode(prediction, deadlineMs);
  const hopeless = choice.mode === "hybrid";
  return { mode: fallback, because: choice.because, hopeless, prediction };
}

/** One run of the job: watches its passes and switches to post-copy when that is due. */
class MigrationRun implements Disposable {
  readonly #domain: Domain;
  readonly #options: VmMigrationOptions;
  readonly #mode: VmMode;
  readonly #hopeless: boolean;
  readonly #abort = new AbortController();
  readonly #stopListening: () => void;
  readonly #deadline: NodeJS.Timeout;
  readonly #switchTimer: NodeJS.Timeout | undefined;
  #lastRemaining: number | undefined;
  #switching: Promise<void> | undefined;
  iterations = 0;
  switched = false;
  checkpointed = false;
  stats: JobStats | undefined;
  #onCompleted: (() => void) | undefined;
  #giveUp: ((reason: unknown) => void) | undefined;
  #giveUpTimer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, domain: Domain, plan: Plan, options: VmMigrationOptions) {
    this.#domain = domain;
    this.#options = options;
    this.#mode = plan.mode;
    this.#hopeless = plan.hopeless ?? false;
    this.#stopListening = connection.onEvent((event) => this.#onEvent(event));
    this.#deadline = setTimeout(() => {
      const late = new Error(`not over after ${options.deadlineMs} ms`);
      this.#abort.abort(late);
      this.#giveUpSoon(late, abortGraceMs);
    }, options.deadlineMs);
    if (plan.mode === "hybrid") {
      this.#switchTimer = setTimeout(
        () => this.#switchToPostCopy("the deadline nears"),
        options.deadlineMs * switchAtShare,
      );
    }
  }

  #onEvent(event: LibvirtEvent): void {
    if (event.type === "connection-closed" || event.uuid !== this.#domain.uuid) return;
    if (event.type === "job-completed") {
      this.stats = event.job;
      this.#onCompleted?.();
    }
    if (event.type === "lifecycle" && event.kind === "stopped" && event.detail !== stoppedMigrated) {
      this.#giveUpSoon(new Error("the guest ended at the source"), orphanGraceMs);
    }
    if (event.type === "migration-iteration") void this.#onIteration(event.iteration);
  }

  async #onIteration(iteration: number): Promise<void> {
    this.iterations = Math.max(this.iterations, iteration);
    if (this.#mode === "postcopy" && iteration >= 1) this.#switchToPostCopy("asked for");
    if (this.#hopeless && iteration >= 2) this.#switchToPostCopy("pre-copy would not end in time");
    const stats = await this.#domain.getJobStats().catch(() => undefined);
    const remaining = stats?.memoryRemainingBytes;
    if (remaining === undefined) return;
    this.#options.onProgress?.({ step: "iteration", iteration, remainingBytes: remaining });
    const before = this.#lastRemaining;
    this.#lastRemaining = remaining;
    // Pass 1 starts with all memory; what pass 2 still has to send tells how fast the guest writes.
    if (this.#mode !== "hybrid" || iteration < 3 || before === undefined) return;
    if (remaining > before * (1 - worthwhileGain)) {
      this.#switchToPostCopy(`pass ${iteration - 1} gained less than ${worthwhileGain * 100} %`);
    }
  }

  #switchToPostCopy(because: string): void {
    this.#switching ??= this.#doSwitch(because).catch((error: unknown) => {
      // Without a checkpoint there is no post-copy: the move is off and the source goes on.
      this.#abort.abort(error);
    });
  }

  async #checkpoint(): Promise<void> {
    const { checkpoint, onProgress } = this.#options;
    if (checkpoint === undefined) return;
    await checkpoint(this.#abort.signal);
    this.checkpointed = true;
    onProgress?.({ step: "checkpointed" });
  }

  async #doSwitch(because: string): Promise<void> {
    const { checkpoint, onProgress } = this.#options;
    if (checkpoint === undefined) return;
    if (!this.checkpointed) await this.#checkpoint();
    // Pre-copy may have ended meanwhile, and then there is nothing to switch.
    this.switched = true;
    try {
      await this.#domain.startPostCopy();
      onProgress?.({ step: "post-copy", because });
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      this.switched = false;
    }
  }

  /** Aborts the job while that is possible: post-copy cannot be taken back. */
  async run(): Promise<void> {
    const { destination, signal, maxDowntimeMs } = this.#options;
    // Asked for, it begins with the first pass: a room saved during that could find it over.
    if (this.#mode === "postcopy") await this.#checkpoint();
    await this.#domain.setMaxDowntime(maxDowntimeMs ?? defaultMaxDowntimeMs);
    const signals = signal === undefined ? [this.#abort.signal] : [this.#abort.signal, signal];
    const postcopy = this.#mode !== "precopy" && this.#options.checkpoint !== undefined;
    const move = this.#domain.migrate({
      destinationUri: destination.peerUri,
      postcopy,
      // Slows players' guests down: only where nothing else could end a migration that does not converge.
      autoConverge: this.#mode !== "precopy" && !postcopy,
      signal: AbortSignal.any(signals),
    });
    const givenUp = new Promise<never>((_resolve, reject) => {
      this.#giveUp = reject;
    });
    await Promise.race([move, givenUp]);
  }

  /** A destination that waits for a page from a dead source answers nobody: its libvirt may never return. */
  #giveUpSoon(reason: unknown, afterMs: number): void {
    clearTimeout(this.#giveUpTimer);
    this.#giveUpTimer = setTimeout(() => this.#giveUp?.(reason), afterMs);
  }

  /** The job's figures come as an event, which may trail the call's own answer. */
  async figures(): Promise<JobStats | undefined> {
    if (this.stats === undefined) {
      const completed = new Promise<void>((resolve) => {
        this.#onCompleted = resolve;
      });
      await Promise.race([completed, delay(figuresTimeoutMs, undefined, { ref: false })]);
    }
    return this.stats;
  }

  get abortReason(): unknown {
    return this.#abort.signal.reason ?? this.#options.signal?.reason;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#switchTimer);
    clearTimeout(this.#giveUpTimer);
    this.#stopListening();
  }
}

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
    const chosen = await plan(domain, options);
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
    if (outcome === "completed" && prediction !== undefined && !run.switched) {
      predictor.learn(source.hostId, destination.hostId, { predictedMs: prediction.totalMs, totalMs, bytes });
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
