/**
 * What is known of each player, kept up to date with what it has measured and with hosts and paths around it, and what
 * that says of any host: measured where it was measured, else estimated from network coordinates, else bounded from below
 * by geography.
 */
import { onSphere } from "./geodesic.js";
import type { HostSpace } from "./host-space.js";
import { factorOf, krigedErrorMs } from "./kriging.js";
import { ModelFitter } from "./model-fit.js";
import type { NodeSpace } from "./node-space.js";
import type { PathBias } from "./path-bias.js";
import {
  cellOf,
  geodesicErrorMs,
  geodesicGuessMs,
  isUsable,
  krigedMs,
  type MeasuredHost,
  type PlayerModel,
  tailShareOf,
  usualTailMs,
  versionOf,
} from "./player-model.js";
import { measuredHost, type PlayerRecord, refresh } from "./player-record.js";
import type { Estimate } from "./types.js";

const FULL_CONFIDENCE_SAMPLES = 6;
const GUESS_CONFIDENCE = 0.1;
/** A coordinate with a larger error says less than geography does. */
const USABLE_ERROR = 0.9;

export class PlayerModels {
  readonly #nodes: NodeSpace;
  readonly #hosts: HostSpace;
  readonly #bias: PathBias;
  readonly #fitter = new ModelFitter();
  #fits = 0;

  constructor({ nodes, hosts, bias }: { nodes: NodeSpace; hosts: HostSpace; bias: PathBias }) {
    this.#nodes = nodes;
    this.#hosts = hosts;
    this.#bias = bias;
  }

  /** Grows with every change that concerns players beside what they measure. */
  get epoch(): number {
    return this.#hosts.moves.count + this.#bias.version;
  }

  /** Up to date. */
  of(player: PlayerRecord): PlayerModel {
    const { epoch } = this;
    const known = player.model;
    if (!player.stale && known !== undefined) {
      if (player.epoch === epoch || versionOf(known) === this.#version(player)) {
        player.epoch = epoch;
        if (player.isFresh) refresh(player, known);
        return known;
      }
    }
    const { cell, tailShare, windows } = player;
    const { pool } = windows;
    const measured: MeasuredHost[] = [];
    for (let window = windows.first; window >= 0; window = pool.next(window)) {
      measured.push(measuredHost(pool, window, tailShare));
      pool.setFresh(window, false);
    }
    player.isFresh = false;
    measured.sort((a, b) => a.p50Ms - b.p50Ms || a.slot - b.slot);
    player.model = this.#fitter.fit(
      {
        at: this.#nodes.published,
        slot: player.slot,
        usable: windows.size > 0 && (this.#nodes.error[player.slot] ?? 1) < USABLE_ERROR,
        tailShare,
        cell,
        version: this.#version(player),
        sphere: player.place && onSphere(player.place),
        measured,
        hosts: this.#hosts.published,
        reachMs: this.#hosts.reachMs,
        bias: this.#bias.row(cell),
        biasMost: this.#bias.mostOf(cell),
        biasFall: this.#bias.fallOf(cell),
        fit: ++this.#fits,
      },
      known,
    );
    player.stale = false;
    player.epoch = epoch;
    return player.model;
  }

  /** Best knowledge of one pair; of a player or host that is not known (undefined, below 0) as if nothing were measured. */
  estimate(player: PlayerRecord | undefined, host: number): Estimate {
    const none = { jitterMs: 0, loss: 0, samples: 0 };
    const model = player && this.of(player);
    if (player === undefined || model === undefined || host < 0) {
      const p50Ms = geodesicGuessMs(new Float64Array(16).fill(Number.NaN), this.#hosts.spheres, 0);
      const errorMs = geodesicErrorMs(p50Ms);
      return { source: "geodesic", p50Ms, p95Ms: p50Ms, ...none, confidence: GUESS_CONFIDENCE, errorMs };
    }
    const window = player.windows.of(host);
    if (window >= 0) {
      const { pool } = player.windows;
      const [p50Ms, jitterMs, loss] = [pool.p50Ms(window), pool.jitterMs(window), pool.loss(window)];
      const samples = pool.samples(window);
      const { tailMs, errorMs } = measuredHost(pool, window, tailShareOf(model));
      const confidence = Math.min(1, samples / FULL_CONFIDENCE_SAMPLES);
      const p95Ms = p50Ms + tailMs;
      return { source: "measured", p50Ms, p95Ms, jitterMs, loss, samples, confidence, errorMs };
    }
    const p50Ms = this.unmeasuredMs(model, host);
    const errorMs = this.errorMs(model, factorOf(model), host, p50Ms);
    if (!isUsable(model))
      return { source: "geodesic", p50Ms, p95Ms: p50Ms, ...none, confidence: GUESS_CONFIDENCE, errorMs };
    const error = Math.max(this.#nodes.error[player.slot] ?? 1, this.#hosts.nodes.error[host] ?? 1);
    const p95Ms = p50Ms + usualTailMs(model, p50Ms);
    return { source: "coordinate", p50Ms, p95Ms, ...none, confidence: 0.5 * (1 - error), errorMs };
  }

  /** Estimate of a host the player has not measured, ms. */
  unmeasuredMs(model: PlayerModel, hostSlot: number): number {
    const { published, spheres } = this.#hosts;
    if (!isUsable(model)) return geodesicGuessMs(model, spheres, hostSlot);
    return krigedMs(model, published, spheres, hostSlot, this.#bias.row(cellOf(model)));
  }

  /** Standard deviation of an estimate, ms. */
  errorMs(model: PlayerModel, factor: Float64Array, hostSlot: number, rttMs: number): number {
    if (!isUsable(model)) return geodesicErrorMs(rttMs);
    return krigedErrorMs(model, factor, this.#hosts.published, hostSlot, rttMs);
  }

  /** Changes whenever an estimate of this player may. */
  #version({ windows: { pool, first }, cell }: PlayerRecord): number {
    let version = this.#bias.versionOf(cell);
    for (let window = first; window >= 0; window = pool.next(window))
      version += this.#hosts.version(pool.host(window));
    return version;
  }
}
