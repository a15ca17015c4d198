/**
 * The latency map: what is known of every player's RTT to every host. Here players, hosts and probes come in; what they say
 * together is in player-models.ts.
 */
import type { HostMoves } from "./host-moves.js";
import { HostSpace } from "./host-space.js";
import { factorOf } from "./kriging.js";
import { NodeSpace } from "./node-space.js";
import { PathBias } from "./path-bias.js";
import { isUsable, type PlayerModel } from "./player-model.js";
import { PlayerModels } from "./player-models.js";
import { isRemeasuring, measuredAgain, outdate, PlayerRecord, relocate } from "./player-record.js";
import { ProbeWindows } from "./probe-windows.js";
import { hostShare, Refinement } from "./refinement.js";
import { Surprise } from "./surprise.js";
import type { Estimate, HostPlace, PlayerPlace, Probe, ProbeVerdict } from "./types.js";
import { observe, predictMs, relaxNode } from "./vivaldi.js";

/** No path on Earth is longer, satellites included: what takes longer counts as this. */
const MOST_RTT_MS = 10_000;
/** Nobody waits so long for an answer: it is a mistake, or in another unit. */
const IMPLAUSIBLE_MS = 60_000;
/** A pair with more samples moves its player's coordinate no more than the stream of probes does. */
const SETTLED_SAMPLES = 3;
/** A player with fewer measured hosts could be anywhere; its estimates are no test of the others'. */
const LEAST_PAIRS = 3;

export class LatencyMap {
  readonly #hosts = new HostSpace();
  readonly #nodes = new NodeSpace();
  readonly #players = new Map<string, PlayerRecord>();
  readonly #windows = new ProbeWindows();
  readonly #bias = new PathBias();
  readonly #surprise = new Surprise();
  readonly #refinement = new Refinement({
    players: this.#players,
    nodes: this.#nodes,
    hosts: this.#hosts,
    bias: this.#bias,
  });
  readonly #models = new PlayerModels({ nodes: this.#nodes, hosts: this.#hosts, bias: this.#bias });

  upsertHost(place: HostPlace): void {
    this.#hosts.upsert(place);
  }

  removeHost(hostId: string): void {
    const slot = this.#hosts.remove(hostId);
    if (slot < 0) return;
    this.#bias.forget(slot);
    for (const player of this.#players.values()) {
      if (player.cell === slot) {
        player.cell = this.#nearest(player);
        outdate(player);
      }
      if (player.windows.remove(slot)) outdate(player);
    }
  }

  upsertPlayer({ playerId, latitude, longitude }: PlayerPlace): void {
    const place = latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
    const known = this.#players.get(playerId);
    if (known === undefined) {
      const slot = this.#nodes.take(playerId);
      const cell = this.#hosts.nearest(this.#nodes.at, slot);
      const parts = { space: this.#nodes, windows: this.#windows, place, cell };
      this.#players.set(playerId, new PlayerRecord(playerId, slot, parts));
    } else if (place !== undefined) {
      known.place = place;
      outdate(known);
      const { pool, first } = known.windows;
      for (let window = first; window >= 0; window = pool.next(window))
        pool.setBoundMs(window, this.#hosts.boundMs(place, pool.host(window)));
    }
  }

  removePlayer(playerId: string): void {
    const player = this.#players.get(playerId);
    if (player === undefined) return;
    player.gone = true;
    this.#players.delete(playerId);
    player.windows.clear();
    this.#refinement.left();
    this.#nodes.giveBack(player.slot);
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
    const { windows } = player;
    const { pool } = windows;
    const known = windows.of(host);
    if ("lost" in probe) {
      if (known >= 0) pool.lost(known, probe.atMs);
      return { accepted: true, pathChanged: false };
    }
    // A host that takes longer is far, not unknown: nobody would come back to look.
    const rttMs = Math.min(probe.rttMs, MOST_RTT_MS);
    if (!Number.isFinite(probe.rttMs)) return { accepted: false, reason: "not-finite" };
    if (rttMs < 0) return { accepted: false, reason: "negative" };
    if (probe.rttMs > IMPLAUSIBLE_MS) return { accepted: false, reason: "implausible" };
    const boundMs = known < 0 ? this.#hosts.boundMs(player.place, host) : pool.boundMs(known);
    if (boundMs !== undefined && rttMs < boundMs) return { accepted: false, reason: "below-geodesic" };
    if (known < 0) this.#compare(player, host, rttMs);
    const window = known < 0 ? pool.open(host, boundMs) : known;
    if (known < 0) windows.add(window);
    const pathChanged = pool.add(window, rttMs, probe.atMs);
    // The player is elsewhere: what it measured before, and its coordinate, are of another place.
    if (pathChanged) {
      relocate(player, window, probe.atMs);
      this.#nodes.reset(player.slot, player.id);
    }
    // The player first: a newcomer whose place is not known yet must not drag hosts about.
    if (pathChanged || pool.samples(window) <= SETTLED_SAMPLES) {
      pool.setUsedMs(window, pool.p50Ms(window));
      pool.setFresh(window, true);
      outdate(player);
      relaxNode(this.#nodes.at, player.slot, this.#hosts.nodes.at, windows.samples());
      observe(this.#nodes, player.slot, this.#hosts.nodes, host, rttMs, hostShare(this.#players.size));
      this.#hosts.follow(host);
      this.#nodes.publish(player.slot);
      player.cell = this.#nearest(player);
    } else {
      measuredAgain(player, window);
      // Thousands of pings of one pair are one fact: repetition pays for a step of refinement elsewhere.
      this.#refinement.next();
    }
    return { accepted: true, pathChanged };
  }

  /** Whether a player's path changed just now, and too little is measured since to say where it is. */
  isRemeasuring(playerId: string, atMs: number): boolean {
    const player = this.#players.get(playerId);
    return player !== undefined && isRemeasuring(player, atMs);
  }

  /** Best knowledge of one pair. Both must be known; an unknown one counts as nothing measured. */
  estimate(playerId: string, hostId: string): Estimate {
    return this.#models.estimate(this.#players.get(playerId), this.#hosts.slot(hostId));
  }

  /** Estimate of a host the player has not measured, ms. */
  unmeasuredMs(model: PlayerModel, hostSlot: number): number {
    return this.#models.unmeasuredMs(model, hostSlot);
  }

  /** Slots of hosts are below this. */
  get hostEnd(): number {
    return this.#hosts.nodes.end;
  }

  /** Estimate of the round trip from one host to another, ms: hosts do not measure each other. */
  betweenHostsMs(slot: number, other: number): number {
    if (slot === other) return 0;
    const { published } = this.#hosts;
    return predictMs(published, slot, published, other);
  }

  /** Coordinates of hosts as estimates use them, by slot. */
  get hostCoordinates(): Float64Array {
    return this.#hosts.published;
  }

  /** Of hosts as estimates use them. */
  get moves(): HostMoves {
    return this.#hosts.moves;
  }

  /** Standard deviation of an estimate, ms. */
  errorMs(model: PlayerModel, factor: Float64Array, hostSlot: number, rttMs: number): number {
    return this.#models.errorMs(model, factor, hostSlot, rttMs);
  }

  /** -1 if the host is not known. */
  hostSlot(hostId: string): number {
    return this.#hosts.slot(hostId);
  }

  /** What is kept of a player, to be asked for by those who look at the same players again and again. */
  player(playerId: string): PlayerRecord | undefined {
    return this.#players.get(playerId);
  }

  /** All that is known of a player in one record, up to date; undefined if the player is not known. */
  model(playerId: string): PlayerModel | undefined {
    const player = this.#players.get(playerId);
    return player && this.modelOf(player);
  }

  /** Grows with every change that concerns players beside what they measure. */
  get epoch(): number {
    return this.#models.epoch;
  }

  /** By slot of a player: grows with every change of what is known of it. */
  get revisions(): Uint32Array {
    return this.#nodes.revisions;
  }

  modelOf(player: PlayerRecord): PlayerModel {
    return this.#models.of(player);
  }

  /** Goes over all remembered probes again; O(players x measured hosts) per pass: for quiet moments. */
  refine(passes = 1): void {
    this.#refinement.all(passes);
    this.#surprise.reset();
  }

  /** Hosts that stand for all, most telling first: a newcomer who measures the first few is placed anywhere. */
  landmarks(count: number): string[] {
    return this.#hosts.landmarks(count);
  }

  /** Hosts this player has measured, with when it last did. */
  measuredHosts(playerId: string): Map<string, number> {
    const hosts = new Map<string, number>();
    const windows = this.#players.get(playerId)?.windows;
    if (windows === undefined) return hosts;
    const { pool, first } = windows;
    const bySlot = new Map<number, number>();
    for (let window = first; window >= 0; window = pool.next(window)) bySlot.set(pool.host(window), window);
    for (const [hostId, slot] of this.#hosts.entries()) {
      const window = bySlot.get(slot);
      if (window !== undefined) hosts.set(hostId, pool.lastAtMs(window));
    }
    return hosts;
  }

  /** Whether it has measured any host. */
  hasMeasured(playerId: string): boolean {
    return (this.#players.get(playerId)?.windows.size ?? 0) > 0;
  }

  /** How much larger than `errorMs` the errors of estimates were of late, as a factor. */
  get errorScale(): number {
    return this.#surprise.scale;
  }

  #compare(player: PlayerRecord, host: number, rttMs: number): void {
    if (player.windows.size < LEAST_PAIRS) return;
    const model = this.model(player.id);
    if (model === undefined || !isUsable(model)) return;
    const guessMs = this.unmeasuredMs(model, host);
    this.#surprise.add((rttMs - guessMs) / this.errorMs(model, factorOf(model), host, guessMs));
  }

  #nearest({ slot }: PlayerRecord): number {
    return this.#hosts.nearest(this.#nodes.at, slot);
  }
}
