/**
 * The hosts rooms may run on, and the search for the best of them.
 *
 * A search adds up rows of round trips that are kept from one to the next, drops hosts as soon as they cannot be
 * among the best, and makes a record only of those that are. What it finds is what scoring all would find.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { isUsable, measuredAt, measuredErrorMs, type PlayerModel } from "../latency/player-model.js";
import { Contenders } from "./contenders.js";
import { hostCostMs, score, scoreErrorMs } from "./objective.js";
import { byRank, capStage, excluded, keep, stricterCapMs } from "./rank.js";
import { type ScoreRow, ScoreRows } from "./score-rows.js";
import type { SearchMemo } from "./search-memo.js";
import type { DecisionCandidate, HostView, PlacementParameters, RoomView } from "./types.js";
import { workTimeAt } from "./work.js";

export interface Found {
  /** At most as many as asked for, best first. */
  best: DecisionCandidate[];
  /** Hosts that were asked for by name, best or not, in the order asked. */
  named: DecisionCandidate[];
}

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
  #rows: ScoreRow[] = [];
  readonly #contenders = new Contenders();

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
    const search = {
      parameters: this.#parameters ?? parameters,
      rows: this.#rows,
      weights: this.#weights,
      slots: this.#slots,
      version: this.#version,
    };
    const limitMs = full()?.scoreMs ?? Number.POSITIVE_INFINITY;
    const contenders = this.#contenders;
    const left = contenders.find(search, { limitMs, capMs: stricterCapMs(full(), parameters) }, memo);
    // Without anything to compare with, the likely best first; else few are left and order saves nothing.
    const order =
      full() === undefined
        ? Array.from({ length: left }, (_, k) => k).sort(
            (a, b) => contenders.leastMs(a) - contenders.leastMs(b),
          )
        : undefined;
    for (let i = 0; i < left; i++) {
      const k = order?.[i] ?? i;
      const slot = contenders.slot(k);
      const last = full();
      if (
        last !== undefined &&
        contenders.leastMs(k) > last.scoreMs &&
        contenders.maxMs(k) > stricterCapMs(last, parameters)
      )
        continue;
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
    for (let i = 0; i < count; i++) {
      const playerId = playerIds[i] ?? "";
      const model = this.map.model(playerId);
      this.#models[i] = model;
      this.#rows[i] = this.#scoreRows.row(playerId, model, parameters);
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
    const work = workTimeAt(view, room);
    const { scoreMs, meanMs, maxMs } = score(rtts, this.#weights, hostCostMs(view, p, work), p);
    const rejected = excluded(room, view);
    const count = rtts.length;
    return {
      hostId: view.hostId,
      scoreMs,
      meanMs,
      maxMs,
      ...work,
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
      capStage: capStage(maxMs + (work?.workMs ?? 0), p.capsMs),
      ...(rejected !== undefined && { rejected }),
    };
  }
}
