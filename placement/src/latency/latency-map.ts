/**
 * The latency map: what is known of every player's RTT to every host. Measured where it was measured, else
 * estimated from network coordinates, else bounded from below by geography.
 */
import { geodesicRttMs, onSphere, type Place } from "./geodesic.js";
import { HostMoves, KernelRows } from "./kernel-rows.js";
import { greedyMedian } from "./landmarks.js";
import { HEIGHT, NodeSpace, STRIDE } from "./node-space.js";
import { PathBias } from "./path-bias.js";
import {
  cellOf,
  factorOf,
  fitModel,
  geodesicErrorMs,
  geodesicGuessMs,
  isUsable,
  krigedErrorMs,
  krigedMs,
  krigedRow,
  type MeasuredHost,
  type PlayerModel,
  scaledResidual,
  tailShareOf,
  versionOf,
} from "./player-model.js";
import { ProbeWindow } from "./probe-window.js";
import { Surprise } from "./surprise.js";
import type { Estimate, HostPlace, PlayerPlace, Probe, ProbeVerdict } from "./types.js";
import { observe, predictMs, relax, type Samples, settle, spanMs } from "./vivaldi.js";

/** No path on Earth is longer; satellites included. */
const MAX_RTT_MS = 10_000;
/** A claimed location may be a city off, so the bound has slack. */
const GEODESIC_SLACK = 0.8;
const GEODESIC_FREE_MS = 4;
const FULL_CONFIDENCE_SAMPLES = 6;
/** A coordinate with a larger error says less than geography does. */
const USABLE_ERROR = 0.9;
/** Typical error of a single probe, relative. */
const PROBE_ERROR = 0.08;
/** Of normal noise: jitter (mean step) is 2/sqrt(pi) sigma, a median's error sqrt(pi/2) sigma per root of n. */
const MEDIAN_ERROR_PER_JITTER = Math.PI / 2 ** 1.5;
/** Fewer samples say nothing of a tail; the player's best-known tail stands in. */
const TAIL_SAMPLES = 8;
/** A pair with more samples moves its player's coordinate no more than the stream of probes does. */
const SETTLED_SAMPLES = 3;
const REFINE_GAIN = 0.2;
const LEAST_REFINE_GAIN = 0.01;
/** Small enough that a settled map stays settled. */
const STEADY_GAIN = 0.05;
/** A player with fewer measured hosts could be anywhere; its estimates are no test of the others'. */
const LEAST_PAIRS = 3;
/** A host's estimates follow its coordinate in such steps, so that a wobble costs nobody a new fit. */
const PUBLISH_MS = 0.5;
/** What was learned of paths is taken into use at most once in so many refinements: everyone is fit anew then. */
const LEAST_TURN = 512;
/** A round trip of nothing has no relative tail. */
const LEAST_RTT_MS = 0.1;

interface Pair {
  window: ProbeWindow;
  /** What light forbids a round trip to fall below; undefined where the player's place is not known. */
  boundMs: number | undefined;
}

interface Player {
  id: string;
  slot: number;
  place: Place | undefined;
  /** By slot of the host. */
  pairs: Map<number, Pair>;
  samples: Samples | undefined;
  /**
   * Slot of the host it was nearest to when its own place was last settled, -1 without hosts. Never looked up when
   * somebody asks: hosts move, and estimates must not depend on who asked when.
   */
  cell: number;
  model: PlayerModel | undefined;
  stale: boolean;
  /** Of the map when the record was last found to be up to date. */
  epoch: number;
}

export class LatencyMap {
  readonly #hosts = new NodeSpace();
  readonly #places = new Map<number, Place>();
  /** Coordinates of hosts as estimates use them, their versions, and their places on the unit sphere. */
  #published = new Float64Array(0);
  #versions = new Int32Array(0);
  #spheres = new Float64Array(0);
  readonly #nodes = new NodeSpace();
  readonly #players = new Map<string, Player>();
  readonly #bias = new PathBias();
  readonly #surprise = new Surprise();
  /** Whose turn it is to be refined. */
  #turn: IterableIterator<Player> = this.#players.values();
  #refined = 0;
  #landmarks: string[] | undefined;
  /** Of hosts as estimates use them. */
  readonly moves = new HostMoves();
  readonly #kernels = new KernelRows(this.moves);
  #fits = 0;

  upsertHost({ hostId, latitude, longitude }: HostPlace): void {
    const slot = this.#hosts.add(hostId);
    const before = this.#places.get(slot);
    if (this.#versions.length < this.#hosts.error.length) this.#grow(this.#hosts.error.length);
    this.#places.set(slot, { latitude, longitude });
    this.#spheres.set(onSphere({ latitude, longitude }), slot * 3);
    if (before?.latitude !== latitude || before.longitude !== longitude) this.#publish(slot);
  }

  removeHost(hostId: string): void {
    const slot = this.#hosts.slot(hostId);
    if (slot < 0) return;
    this.#hosts.remove(hostId);
    this.#places.delete(slot);
    this.#bias.forget(slot);
    this.#landmarks = undefined;
    for (const player of this.#players.values()) {
      if (player.cell === slot) player.cell = this.#nearest(player.slot);
      if (player.pairs.delete(slot)) this.#touch(player);
    }
  }

  upsertPlayer({ playerId, latitude, longitude }: PlayerPlace): void {
    const place = latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
    const known = this.#players.get(playerId);
    if (known === undefined) {
      const slot = this.#nodes.add(playerId);
      this.#players.set(playerId, {
        id: playerId,
        slot,
        place,
        pairs: new Map(),
        samples: undefined,
        cell: this.#nearest(slot),
        model: undefined,
        stale: true,
        epoch: -1,
      });
    } else if (place !== undefined) {
      known.place = place;
      known.stale = true;
      for (const [slot, pair] of known.pairs) pair.boundMs = this.#boundMs(place, slot);
    }
  }

  removePlayer(playerId: string): void {
    this.#players.delete(playerId);
    this.#nodes.remove(playerId);
  }

  /**
   * Takes one probe in, or says why it is not believed. A host cannot be nearer than light allows; what is
   * claimed slower than it is only hurts the claimant's own weight.
   */
  addProbe(probe: Probe): ProbeVerdict {
    const player = this.#players.get(probe.playerId);
    if (player === undefined) return { accepted: false, reason: "unknown-player" };
    const host = this.#hosts.slot(probe.hostId);
    if (host < 0) return { accepted: false, reason: "unknown-host" };
    let pair = player.pairs.get(host);
    if ("lost" in probe) {
      pair?.window.lost(probe.atMs);
      return { accepted: true, pathChanged: false };
    }
    const { rttMs } = probe;
    if (!Number.isFinite(rttMs)) return { accepted: false, reason: "not-finite" };
    if (rttMs < 0) return { accepted: false, reason: "negative" };
    if (rttMs > MAX_RTT_MS) return { accepted: false, reason: "implausible" };
    pair ??= {
      window: new ProbeWindow(),
      boundMs: player.place && this.#boundMs(player.place, host),
    };
    if (pair.boundMs !== undefined && rttMs < pair.boundMs)
      return { accepted: false, reason: "below-geodesic" };
    if (pair.window.samples === 0) this.#compare(player, host, rttMs);
    const pathChanged = pair.window.add(rttMs, probe.atMs);
    // The player is elsewhere: what it measured before, and its coordinate, are of another place.
    if (pathChanged) {
      player.pairs.clear();
      this.#nodes.reset(player.slot, player.id);
    }
    player.pairs.set(host, pair);
    this.#touch(player);
    // The player first: a newcomer whose place is not known yet must not drag hosts about.
    if (pathChanged || pair.window.samples <= SETTLED_SAMPLES) {
      settle(this.#nodes.at, player.slot, this.#hosts.at, this.#samples(player));
      observe(this.#nodes, player.slot, this.#hosts, host, rttMs);
      this.#follow(host);
      player.cell = this.#nearest(player.slot);
    } else {
      // Thousands of pings of one pair are one fact: repetition pays for a step of refinement elsewhere.
      this.#refineNext();
    }
    return { accepted: true, pathChanged };
  }

  /** Best knowledge of one pair. Both must be known; an unknown one counts as nothing measured. */
  estimate(playerId: string, hostId: string): Estimate {
    const player = this.#players.get(playerId);
    const host = this.#hosts.slot(hostId);
    const none = { jitterMs: 0, loss: 0, samples: 0 };
    const model = this.model(playerId);
    if (player === undefined || model === undefined || host < 0) {
      const p50Ms = geodesicGuessMs(new Float64Array(16).fill(Number.NaN), this.#spheres, 0);
      const errorMs = geodesicErrorMs(p50Ms);
      return { source: "geodesic", p50Ms, p95Ms: p50Ms, ...none, confidence: 0.1, errorMs };
    }
    const window = player.pairs.get(host)?.window;
    if (window !== undefined) {
      const { p50Ms, jitterMs, loss, samples } = window;
      const { tailMs, errorMs } = this.#measured(host, window, tailShareOf(model));
      const confidence = Math.min(1, samples / FULL_CONFIDENCE_SAMPLES);
      return {
        source: "measured",
        p50Ms,
        p95Ms: p50Ms + tailMs,
        jitterMs,
        loss,
        samples,
        confidence,
        errorMs,
      };
    }
    if (isUsable(model)) {
      const p50Ms = this.unmeasuredMs(model, host);
      const error = Math.max(this.#nodes.error[player.slot] ?? 1, this.#hosts.error[host] ?? 1);
      return {
        source: "coordinate",
        p50Ms,
        p95Ms: p50Ms * (1 + tailShareOf(model)),
        ...none,
        confidence: 0.5 * (1 - error),
        errorMs: this.errorMs(model, factorOf(model), host, p50Ms),
      };
    }
    const p50Ms = this.unmeasuredMs(model, host);
    return {
      source: "geodesic",
      p50Ms,
      p95Ms: p50Ms,
      ...none,
      confidence: 0.1,
      errorMs: geodesicErrorMs(p50Ms),
    };
  }

  /** Estimate of a host the player has not measured, ms. */
  unmeasuredMs(model: PlayerModel, hostSlot: number): number {
    if (!isUsable(model)) return geodesicGuessMs(model, this.#spheres, hostSlot);
    return krigedMs(model, this.#published, this.#spheres, hostSlot, this.#bias.row(cellOf(model)));
  }

  /** `unmeasuredMs` of every host by slot, into `row`, which must hold `hostEnd` numbers. */
  unmeasuredRow(model: PlayerModel, row: Float64Array): void {
    const end = this.#hosts.end;
    if (isUsable(model))
      krigedRow(model, row, end, this.#published, this.#spheres, this.#bias.row(cellOf(model)), (slot) =>
        this.#kernels.row(slot, end, this.#published),
      );
    else for (let slot = 0; slot < end; slot++) row[slot] = geodesicGuessMs(model, this.#spheres, slot);
  }

  /** Slots of hosts are below this. */
  get hostEnd(): number {
    return this.#hosts.end;
  }

  /** Changes when estimates of all players do. */
  get biasVersion(): number {
    return this.#bias.version;
  }

  /** Its standard deviation, ms. */
  errorMs(model: PlayerModel, factor: Float64Array, hostSlot: number, rttMs: number): number {
    if (!isUsable(model)) return geodesicErrorMs(rttMs);
    return krigedErrorMs(model, factor, this.#published, hostSlot, rttMs);
  }

  /** -1 if the host is not known. */
  hostSlot(hostId: string): number {
    return this.#hosts.slot(hostId);
  }

  /** All that is known of a player in one record, up to date; undefined if the player is not known. */
  model(playerId: string): PlayerModel | undefined {
    const player = this.#players.get(playerId);
    if (player === undefined) return undefined;
    const known = player.model;
    if (!player.stale && known !== undefined) {
      const epoch = this.moves.count + this.#bias.version;
      if (player.epoch === epoch) return known;
      if (versionOf(known) === this.#version(player)) {
        player.epoch = epoch;
        return known;
      }
    }
    const { cell } = player;
    const tailShare = tailShareOfPairs(player.pairs.values());
    const measured: MeasuredHost[] = [];
    for (const [slot, { window }] of player.pairs) measured.push(this.#measured(slot, window, tailShare));
    measured.sort((a, b) => a.p50Ms - b.p50Ms || a.slot - b.slot);
    player.model = fitModel(
      {
        at: this.#nodes.at,
        slot: player.slot,
        usable: player.pairs.size > 0 && (this.#nodes.error[player.slot] ?? 1) < USABLE_ERROR,
        tailShare,
        cell,
        version: this.#version(player),
        sphere: player.place && onSphere(player.place),
        measured,
        hosts: this.#published,
        bias: this.#bias.row(cell),
        fit: ++this.#fits,
      },
      player.model,
    );
    player.stale = false;
    player.epoch = this.moves.count + this.#bias.version;
    return player.model;
  }

  /**
   * Goes over all remembered probes again, so that coordinates trained early learn from those trained late.
   * O(players x measured hosts) per pass: for quiet moments.
   */
  refine(passes = 1): void {
    for (let pass = 0; pass < passes; pass++) {
      const gain = REFINE_GAIN * (1 - pass / passes) + LEAST_REFINE_GAIN;
      for (const player of this.#players.values()) this.#relax(player, gain);
    }
    for (const slot of this.#places.keys()) this.#follow(slot);
    this.#bias.turn();
    for (const player of this.#players.values()) {
      player.cell = this.#nearest(player.slot);
      this.#learnBias(player);
    }
    this.#bias.turn();
    this.#turn = this.#players.values();
    this.#surprise.reset();
  }

  /**
   * Hosts that stand for all, most telling first: a newcomer who measures the first few is placed anywhere.
   * O(count x hosts^2) once the hosts' coordinates have changed, else nothing.
   */
  landmarks(count: number): string[] {
    if (this.#landmarks === undefined || this.#landmarks.length < Math.min(count, this.#hosts.size))
      this.#landmarks = greedyMedian(this.#hosts, this.#published, count);
    return this.#landmarks.slice(0, count);
  }

  /** Hosts this player has measured, with when it last did. */
  measuredHosts(playerId: string): Map<string, number> {
    const hosts = new Map<string, number>();
    const pairs = this.#players.get(playerId)?.pairs;
    if (pairs === undefined) return hosts;
    for (const [hostId, slot] of this.#hosts.entries()) {
      const pair = pairs.get(slot);
      if (pair !== undefined) hosts.set(hostId, pair.window.lastAtMs);
    }
    return hosts;
  }

  /** How much larger than `errorMs` the errors of estimates were of late, as a factor. */
  get errorScale(): number {
    return this.#surprise.scale;
  }

  #compare(player: Player, host: number, rttMs: number): void {
    if (player.pairs.size < LEAST_PAIRS) return;
    const model = this.model(player.id);
    if (model === undefined || !isUsable(model)) return;
    const guessMs = this.unmeasuredMs(model, host);
    this.#surprise.add((rttMs - guessMs) / this.errorMs(model, factorOf(model), host, guessMs));
  }

  #measured(slot: number, window: ProbeWindow, tailShare: number): MeasuredHost {
    const { p50Ms, samples } = window;
    const known = samples >= TAIL_SAMPLES;
    return {
      slot,
      p50Ms,
      tailMs: known ? window.p95Ms - p50Ms : p50Ms * tailShare,
      errorMs: (known ? window.jitterMs * MEDIAN_ERROR_PER_JITTER : PROBE_ERROR * p50Ms) / Math.sqrt(samples),
    };
  }

  /** Changes whenever an estimate of this player may. */
  #version({ pairs }: Player): number {
    let version = this.#bias.version;
    for (const slot of pairs.keys()) version += this.#versions[slot] ?? 0;
    return version;
  }

  #touch(player: Player): void {
    player.samples = undefined;
    player.stale = true;
  }

  #samples(player: Player): Samples {
    if (player.samples !== undefined) return player.samples;
    const slots: number[] = [];
    const rttsMs: number[] = [];
    for (const [slot, { window }] of player.pairs) {
      slots.push(slot);
      rttsMs.push(window.p50Ms);
    }
    player.samples = { slots, rttsMs };
    return player.samples;
  }

  #boundMs(place: Place, host: number): number | undefined {
    const there = this.#places.get(host);
    return there && geodesicRttMs(place, there) * GEODESIC_SLACK - GEODESIC_FREE_MS;
  }

  /** The host nearest in coordinates. */
  #nearest(playerSlot: number): number {
    let cell = -1;
    let nearest = Number.POSITIVE_INFINITY;
    for (const slot of this.#places.keys()) {
      const distance = spanMs(this.#nodes.at, playerSlot, this.#published, slot);
      if (distance < nearest) {
        nearest = distance;
        cell = slot;
      }
    }
    return cell;
  }

  #relax(player: Player, gain: number): void {
    const { slots, rttsMs } = this.#samples(player);
    for (let s = 0; s < slots.length; s++)
      relax(this.#nodes.at, player.slot, this.#hosts.at, slots[s] ?? 0, rttsMs[s] ?? 0, gain);
    player.stale = true;
  }

  #learnBias(player: Player): void {
    const { cell } = player;
    const { slots, rttsMs } = this.#samples(player);
    for (let s = 0; s < slots.length; s++) {
      const host = slots[s] ?? 0;
      const predictedMs = predictMs(this.#nodes.at, player.slot, this.#published, host);
      this.#bias.add(cell, host, scaledResidual(rttsMs[s] ?? 0, predictedMs), this.#hosts.end);
    }
  }

  /** One player after the other, so that each counts the same however often it pings. */
  #refineNext(): void {
    let next = this.#turn.next();
    this.#refined++;
    if (next.done === true) {
      if (this.#refined >= LEAST_TURN) {
        this.#refined = 0;
        this.#bias.turn();
      }
      this.#turn = this.#players.values();
      next = this.#turn.next();
    }
    if (next.done === true) return;
    this.#relax(next.value, STEADY_GAIN);
    for (const slot of this.#samples(next.value).slots) this.#follow(slot);
    this.#learnBias(next.value);
  }

  /** Publishes a host that has moved notably. */
  #follow(slot: number): void {
    const at = this.#hosts.at;
    const height = Math.abs(
      (at[slot * STRIDE + HEIGHT] ?? 0) - (this.#published[slot * STRIDE + HEIGHT] ?? 0),
    );
    if (spanMs(at, slot, this.#published, slot) + height > PUBLISH_MS) this.#publish(slot);
  }

  #publish(slot: number): void {
    for (let i = slot * STRIDE; i < (slot + 1) * STRIDE; i++) this.#published[i] = this.#hosts.at[i] ?? 0;
    this.#versions[slot] = (this.#versions[slot] ?? 0) + 1;
    this.moves.add(slot);
    this.#landmarks = undefined;
  }

  #grow(slots: number): void {
    const grown = <T extends Float64Array | Int32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#published = grown(this.#published, new Float64Array(slots * STRIDE));
    this.#versions = grown(this.#versions, new Int32Array(slots));
    this.#spheres = grown(this.#spheres, new Float64Array(slots * 3));
  }
}

/** How far p95 lies above p50 on the player's best-known path, relative: mostly its own access link. */
function tailShareOfPairs(pairs: Iterable<Pair>): number {
  let best: ProbeWindow | undefined;
  for (const { window } of pairs)
    if (window.samples >= TAIL_SAMPLES && window.samples > (best?.samples ?? 0)) best = window;
  return best === undefined ? 0 : best.p95Ms / Math.max(best.p50Ms, LEAST_RTT_MS) - 1;
}
