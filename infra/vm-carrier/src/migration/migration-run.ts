/** One run of libvirt's migration job: watches its passes and switches to post-copy when that is due. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Connection,
  type Domain,
  type JobStats,
  LibvirtError,
  type LibvirtEvent,
  stoppedMigrated,
} from "@centroid/node-libvirt";
import { defaultMaxDowntimeMs, type VmMigrationOptions, type VmMode } from "./migration-options.js";
import type { VmMigrationPlan } from "./plan-migration.js";

/** A pass that leaves more than this share of what it found is not worth another one. */
const worthwhileGain = 0.1;
/** Hybrid keeps this share of the deadline for post-copy, which cannot be taken back. */
const switchAtShare = 0.4;
const figuresTimeoutMs = 500;
/** A call whose guest is gone usually fails by itself within this. */
const orphanGraceMs = 1000;
/** A cancelled job ends within this, or its libvirt hangs. Post-copy, which cannot be cancelled, goes on meanwhile. */
const abortGraceMs = 5000;

export class MigrationRun implements Disposable {
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
  #startedAtMs = performance.now();
  /** Until the first pass began; undefined before that. */
  setupMs: number | undefined;
  iterations = 0;
  switched = false;
  checkpointed = false;
  stats: JobStats | undefined;
  #onCompleted: (() => void) | undefined;
  #giveUp: ((reason: unknown) => void) | undefined;
  #giveUpTimer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, domain: Domain, plan: VmMigrationPlan, options: VmMigrationOptions) {
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
    this.setupMs ??= performance.now() - this.#startedAtMs;
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
