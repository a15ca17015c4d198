/**
 * The hosts rooms may run on, and the search for the best of them.
 *
 * A search adds up rows of round trips that are kept from one to the next, drops hosts as soon as they cannot be
 * among the best, and makes a record only of those that are. What it finds is what scoring all would find.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { isUsable, measuredAt, measuredErrorMs, type PlayerModel } from "../latency/player-model.js";
import { hostCostMs, leastShares, score, scoreErrorMs, worstShare } from "./objective.js";
import { type ScoreRow, ScoreRows } from "./score-rows.js";
import { type SearchMemo, withMargin } from "./search-memo.js";
import type { DecisionCandidate, HostView, PlacementParameters, Rejection, RoomView } from "./types.js";

export interface Found {
  /** At most as many as asked for, best first. */
  best: DecisionCandidate[];
  /** Hosts that were asked for by name, best or not, in the order asked. */
  named: DecisionCandidate[];
}

/** Below this many, rounding of the bound could matter. */
const BOUND_SLACK_MS = 1e-6;
/** Players after whom far hosts are dropped. */
const BLOCK = 4;

export class HostTable {
  readonly map: LatencyMap;
  readonly #scoreRows: ScoreRows;
  readonly #views: (HostView | undefined)[] = [];
  #slots: number[] = [];
  /** Of the set of slots. */
  #version = 0;
  /** Scratch of one search. */
  #room: RoomView | undefined;
  #parameters: PlacementParameters | undefined;
  #models: (PlayerModel | undefined)[] = [];
  #rtts = new Float64Array(0);
  #errors = new Float64Array(0);
  #weights: Float64Array | undefined;
  #weight = 0;
  #rows: ScoreRow[] = [];
  #open = new Int32Array(0);
  #sums = new Float64Array(0);
  #maxima = new Float64Array(0);

  constructor(map: LatencyMap, hosts: Iterable<HostView> = []) {
    this.map = map;
    this.#scoreRows = new ScoreRows(map);
    for (const host of hosts) this.set(host);
  }

  /**
   * Adds or replaces a host; the view may be a live one, it is read at each search.
   * @throws RangeError if the latency map does not know the host
   */
  set(view: HostView): void {
    const slot = this.map.hostSlot(view.hostId);
    if (slot < 0) throw new RangeError(`host ${view.hostId} is not in the latency map; upsertHost it first`);
    if (this.#views[slot] === undefined) {
      this.#slots.push(slot);
      this.#version++;
    }
    this.#views[slot] = view;
  }

  /** To be called before the latency map forgets the host. */
  delete(hostId: string): void {
    const slot = this.map.hostSlot(hostId);
    if (this.#views[slot] === undefined) return;
    this.#views[slot] = undefined;
    this.#version++;
    this.#slots = this.#slots.filter((s) => s !== slot);
  }

  get size(): number {
    return this.#slots.length;
  }

  get(hostId: string): HostView | undefined {
    return this.#views[this.map.hostSlot(hostId)];
  }

  *[Symbol.iterator](): IterableIterator<HostView> {
    for (const slot of this.#slots) {
      const view = this.#views[slot];
      if (view !== undefined) yield view;
    }
  }

  /** Every host, scored by the plain formula; O(hosts x players x measured hosts). */
  all(room: RoomView, parameters: PlacementParameters): DecisionCandidate[] {
    this.#begin(room, parameters);
    const candidates: DecisionCandidate[] = [];
    for (const slot of this.#slots) {
      const candidate = this.#candidate(slot);
      if (candidate !== undefined) candidates.push(candidate);
    }
    return candidates.sort(byRank);
  }

  /**
   * The `count` best hosts that may take the room.
   * @param names of hosts to be scored in any case; good ones make the search quick
   * @param memo of the same room, so that the next search need not look at every host
   */
  search(
    room: RoomView,
    parameters: PlacementParameters,
    count: number,
    names: Iterable<string>,
    memo?: SearchMemo,
  ): Found {
    this.#begin(room, parameters);
    const best: DecisionCandidate[] = [];
    const named: DecisionCandidate[] = [];
    const seen: number[] = [];
    for (const name of names) {
      const slot = this.map.hostSlot(name);
      if (seen.includes(slot)) continue;
      const candidate = this.#candidate(slot);
      if (candidate === undefined) continue;
      seen.push(slot);
      named.push(candidate);
      if (candidate.rejected === undefined) keep(best, candidate, count);
    }
    const full = (): DecisionCandidate | undefined => (best.length < count ? undefined : best.at(-1));
    const left = this.#contend(full(), memo);
    const least = leastShares(this.#parameters ?? parameters, this.#weights !== undefined);
    const leastMs = (k: number): number =>
      (least.mean * (this.#sums[k] ?? 0)) / Math.max(this.#weight, Number.MIN_VALUE) +
      least.max * (this.#maxima[k] ?? 0) -
      BOUND_SLACK_MS;
    // Without anything to compare with, the likely best first; else few are left and order saves nothing.
    const order =
      full() === undefined
        ? Array.from({ length: left }, (_, k) => k).sort((a, b) => leastMs(a) - leastMs(b))
        : undefined;
    for (let i = 0; i < left; i++) {
      const k = order?.[i] ?? i;
      const slot = this.#open[k] ?? 0;
      const last = full();
      const capMs = stricterCapMs(last, parameters);
      if (last !== undefined && leastMs(k) > last.scoreMs && (this.#maxima[k] ?? 0) > capMs) continue;
      if (seen.includes(slot)) continue;
      const view = this.#views[slot];
      if (view === undefined || excluded(room, view) !== undefined) continue;
      const candidate = this.#candidate(slot);
      if (candidate !== undefined) keep(best, candidate, count);
    }
    return { best, named };
  }

  #begin(room: RoomView, parameters: PlacementParameters): void {
    const { playerIds, objective } = room;
    this.#room = room;
    this.#parameters =
      objective === undefined || objective === parameters.objective
        ? parameters
        : { ...parameters, objective };
    const count = playerIds.length;
    if (this.#rtts.length !== count) {
      this.#rtts = new Float64Array(count);
      this.#errors = new Float64Array(count);
    }
    this.#models.length = count;
    this.#rows.length = count;
    this.#weights = room.weights && Float64Array.from(playerIds, (id) => room.weights?.get(id) ?? 1);
    this.#weight = 0;
    for (let i = 0; i < count; i++) {
      const playerId = playerIds[i] ?? "";
      const model = this.map.model(playerId);
      this.#models[i] = model;
      this.#rows[i] = this.#scoreRows.row(playerId, model, parameters);
      this.#weight += this.#weights?.[i] ?? 1;
    }
    if (this.#open.length < this.#slots.length) {
      this.#open = new Int32Array(2 * this.#slots.length);
      this.#sums = new Float64Array(2 * this.#slots.length);
      this.#maxima = new Float64Array(2 * this.#slots.length);
    }
  }

  #candidate(slot: number): DecisionCandidate | undefined {
    const view = this.#views[slot];
    const room = this.#room;
    const p = this.#parameters;
    if (view === undefined || room === undefined || p === undefined) return undefined;
    const rtts = this.#rtts;
    const errors = this.#errors;
    let measured = 0;
    let guessed = 0;
    for (let i = 0; i < rtts.length; i++) {
      const model = this.#models[i];
      const at = model === undefined ? -1 : measuredAt(model, slot);
      rtts[i] = this.#rows[i]?.values[slot] ?? 0;
      // What is not measured does not jitter; its doubt is in the score already.
      errors[i] = model === undefined || at < 0 ? 0 : measuredErrorMs(model, at);
      if (at >= 0) measured++;
      else if (model === undefined || !isUsable(model)) guessed++;
    }
    const { scoreMs, meanMs, maxMs } = score(rtts, this.#weights, hostCostMs(view, p), p);
    const rejected = excluded(room, view);
    const count = rtts.length;
    return {
      hostId: view.hostId,
      scoreMs,
      meanMs,
      maxMs,
      errorMs: scoreErrorMs(rtts, errors, this.#weights, p),
      load: view.load,
      source:
        guessed === count
          ? "geodesic"
          : measured === count
            ? "measured"
            : measured + guessed === 0
              ? "coordinate"
              : "mixed",
      measuredShare: count === 0 ? 0 : measured / count,
      capStage: capStage(maxMs, p.capsMs),
      ...(rejected !== undefined && { rejected }),
    };
  }

  /**
   * Hosts that may be among the best, with the sums and maxima of their round trips.
   * @returns how many of `#open` are left
   */
  #contend(last: DecisionCandidate | undefined, memo: SearchMemo | undefined): number {
    const p = this.#parameters;
    if (p === undefined) return 0;
    const none = Number.POSITIVE_INFINITY;
    const limitMs = last === undefined ? none : last.scoreMs + BOUND_SLACK_MS;
    const need = { limitMs, capMs: stricterCapMs(last, p) };
    if (memo === undefined || last === undefined || this.#weights !== undefined)
      return this.#narrow(need.limitMs, need.capMs);
    const left = memo.recall(this.#open, this.#rows, need, worstShare(p), this.#version, p.objective);
    if (left >= 0) return this.#add(left);
    const bounds = {
      limitMs: withMargin(need.limitMs),
      capMs: Number.isFinite(need.capMs) ? withMargin(need.capMs) : need.capMs,
    };
    const narrowed = this.#narrow(bounds.limitMs, bounds.capMs);
    memo.keep(this.#open, narrowed, this.#rows, bounds, this.#version, p.objective);
    return narrowed;
  }

  #add(left: number): number {
    const open = this.#open;
    const sums = this.#sums.fill(0, 0, left);
    const maxima = this.#maxima.fill(0, 0, left);
    for (let i = 0; i < this.#rows.length; i++) {
      const values = this.#rows[i]?.values;
      const w = this.#weights?.[i] ?? 1;
      if (values === undefined) continue;
      for (let k = 0; k < left; k++) {
        const r = values[open[k] ?? 0] ?? 0;
        sums[k] = (sums[k] ?? 0) + w * r;
        if (r > (maxima[k] ?? 0)) maxima[k] = r;
      }
    }
    return left;
  }

  /**
   * Rules out every host whose J is above `limitMs` and whose largest round trip is above `capMs`: a few players at
   * a time, the rest of them granted their nearest host, so that far hosts are dropped early.
   */
  #narrow(limitMs: number, capMs: number): number {
    const p = this.#parameters;
    const count = this.#rows.length;
    const open = this.#open;
    const sums = this.#sums;
    const maxima = this.#maxima;
    let left = this.#slots.length;
    for (let i = 0; i < left; i++) {
      open[i] = this.#slots[i] ?? 0;
      sums[i] = 0;
      maxima[i] = 0;
    }
    if (p === undefined) return 0;
    const least = leastShares(p, this.#weights !== undefined);
    let weights = 0;
    let restMs = 0;
    for (let i = 0; i < count; i++) {
      const w = this.#weights?.[i] ?? 1;
      weights += w;
      restMs += w * (this.#rows[i]?.leastMs ?? 0);
    }
    const meanShare = least.mean / Math.max(weights, Number.MIN_VALUE);
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i];
      if (row === undefined) continue;
      const { values } = row;
      const w = this.#weights?.[i] ?? 1;
      restMs -= w * row.leastMs;
      if ((i + 1) % BLOCK !== 0 && i + 1 < count) {
        for (let k = 0; k < left; k++) {
          const r = values[open[k] ?? 0] ?? 0;
          sums[k] = (sums[k] ?? 0) + w * r;
          if (r > (maxima[k] ?? 0)) maxima[k] = r;
        }
        continue;
      }
      let kept = 0;
      for (let k = 0; k < left; k++) {
        const slot = open[k] ?? 0;
        const r = values[slot] ?? 0;
        const sum = (sums[k] ?? 0) + w * r;
        const max = Math.max(maxima[k] ?? 0, r);
        const leastMs = meanShare * (sum + restMs) + least.max * max - BOUND_SLACK_MS;
        if (leastMs > limitMs && max > capMs) continue;
        open[kept] = slot;
        sums[kept] = sum;
        maxima[kept] = max;
        kept++;
      }
      left = kept;
    }
    return left;
  }
}

/** A host that keeps this for everybody is better than any of the candidate's stage, whatever its J. */
function stricterCapMs(last: DecisionCandidate | undefined, p: PlacementParameters): number {
  if (last === undefined) return Number.POSITIVE_INFINITY;
  return last.capStage > 0 ? (p.capsMs[last.capStage - 1] ?? 0) : Number.NEGATIVE_INFINITY;
}

/** Hosts that may not take the room last; then by cap stage, J, and host id. */
function byRank(a: DecisionCandidate, b: DecisionCandidate): number {
  const excludedFirst = Number(a.rejected !== undefined) - Number(b.rejected !== undefined);
  if (excludedFirst !== 0) return excludedFirst;
  if (a.rejected === undefined && a.capStage !== b.capStage) return a.capStage - b.capStage;
  return a.scoreMs - b.scoreMs || (a.hostId < b.hostId ? -1 : 1);
}

function keep(best: DecisionCandidate[], candidate: DecisionCandidate, count: number): void {
  let at = best.length;
  while (at > 0 && byRank(candidate, best[at - 1] as DecisionCandidate) < 0) at--;
  if (at >= count) return;
  best.splice(at, 0, candidate);
  if (best.length > count) best.pop();
}

/** The strictest cap this host keeps for every player; one past the last if none. */
function capStage(maxMs: number, capsMs: readonly number[]): number {
  for (let stage = 0; stage < capsMs.length; stage++) if (maxMs <= (capsMs[stage] ?? 0)) return stage;
  return capsMs.length;
}

function excluded(room: RoomView, host: HostView): Rejection | undefined {
  if (host.state !== "active") return host.state;
  if (!host.carriers.includes(room.carrier)) return "carrier";
  if (
    room.roomType !== undefined &&
    host.roomTypes !== undefined &&
    host.roomTypes.length > 0 &&
    !host.roomTypes.includes(room.roomType)
  )
    return "room-type";
  if (room.allowedRegions !== undefined && !room.allowedRegions.includes(host.region)) return "region";
  if (room.avoidHostIds?.includes(host.hostId) === true) return "anti-affinity";
  if (host.hostId !== room.hostId && host.rooms >= host.capacityRooms) return "full";
  return undefined;
}
