/**
 * The hosts rooms may run on, and the search for the best of them.
 *
 * A search scores the hosts that are open for the room, and looks at others only when they could be among the best
 * again. What it finds is what scoring all would find.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { type Bounds, Contenders, type Search } from "./contenders.js";
import { Neighbourhoods } from "./neighbourhoods.js";
import { hostCostMs, leastShares } from "./objective.js";
import type { OpenHosts } from "./open-hosts.js";
import { weightsInOrder } from "./player-weights.js";
import { knownOf } from "./players-part.js";
import { byRank, capStage, excluded, keep, stricterCapMs } from "./rank.js";
import { SearchMemo, withMargin } from "./search-memo.js";
import { TieCosts } from "./ties.js";
import type { DecisionCandidate, HostView, PlacementParameters, RoomView } from "./types.js";
import { workTimeAt } from "./work.js";

/** In a fleet no larger than this all hosts are open at all times. */
const FEW_HOSTS = 32;

export interface Found {
  /** At most as many as asked for, best first. */
  best: DecisionCandidate[];
  /** Hosts that were asked for by name, best or not, in the order asked. */
  named: DecisionCandidate[];
}

export class HostTable {
  readonly map: LatencyMap;
  readonly #views: (HostView | undefined)[] = [];
  #slots: number[] = [];
  /** Of the set of slots. */
  #version = 0;
  /** Scratch of one search. */
  #room: RoomView | undefined;
  #parameters: PlacementParameters | undefined;
  #memo = new SearchMemo();
  #open: OpenHosts | undefined;
  #rtts = new Float64Array(0);
  #errors = new Float64Array(0);
  #ties: TieCosts | undefined;
  readonly #neighbourhoods: Neighbourhoods;
  readonly #contenders: Contenders;

  constructor(map: LatencyMap, hosts: Iterable<HostView> = []) {
    this.map = map;
    this.#neighbourhoods = new Neighbourhoods(map);
    this.#contenders = new Contenders(map, this.#neighbourhoods);
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

  /** By slot of the latency map. */
  at(slot: number): HostView | undefined {
    return this.#views[slot];
  }

  *[Symbol.iterator](): IterableIterator<HostView> {
    for (const slot of this.#slots) {
      const view = this.#views[slot];
      if (view !== undefined) yield view;
    }
  }

  /** Every host, scored by the plain formula; O(hosts x players x measured hosts). */
  all(room: RoomView, parameters: PlacementParameters): DecisionCandidate[] {
    this.#begin(room, parameters, new SearchMemo());
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
    const all = this.#begin(room, parameters, memo ?? new SearchMemo());
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
    const offer = (slot: number): void => {
      const view = this.#views[slot];
      if (view === undefined || seen.includes(slot) || excluded(room, view) !== undefined) return;
      seen.push(slot);
      const candidate = this.#candidate(slot);
      if (candidate !== undefined) keep(best, candidate, count);
    };
    const need = (): Bounds => {
      const last = best.length < count ? undefined : best.at(-1);
      const limitMs = (last?.scoreMs ?? Number.POSITIVE_INFINITY) + (this.#ties?.mostGainMs ?? 0);
      return { limitMs, capMs: stricterCapMs(last, parameters) };
    };
    if (this.#slots.length <= FEW_HOSTS) for (const slot of this.#slots) this.#open?.open(slot);
    else if (memo === undefined) {
      this.#neighbourhoods.sync(this.#slots, this.#version);
      this.#offerPromising(all, need, seen, offer);
      return { best, named };
    } else this.#openOthers(all, need, seen, offer);
    this.#open?.within(need, seen, offer);
    return { best, named };
  }

  /** Opens all hosts that may be among the best, beside those that are open. */
  #openOthers(
    search: Search,
    need: () => Bounds,
    seen: readonly number[],
    offer: (slot: number) => void,
  ): void {
    const memo = this.#memo;
    if (memo.covers(need())) return;
    this.#neighbourhoods.sync(this.#slots, this.#version);
    // Without the best to compare with, too many would be opened.
    if (need().limitMs === Number.POSITIVE_INFINITY) this.#offerPromising(search, need, seen, offer);
    const wider = withMargin(need());
    const known = memo.known(wider);
    if (known !== undefined) memo.cover(this.#contenders.find(search, known, wider), wider);
  }

  /** Offers the best hosts, without a look at those that are beyond them. */
  #offerPromising(
    search: Search,
    need: () => Bounds,
    seen: readonly number[],
    offer: (slot: number) => void,
  ): void {
    for (const contender of this.#contenders.promising(search, this.#memo.models, need)) {
      if (seen.includes(contender.slot)) continue;
      this.#open?.put(contender.slot, contender, 0, true);
      offer(contender.slot);
    }
  }

  #begin(room: RoomView, parameters: PlacementParameters, memo: SearchMemo): Search {
    const { playerIds, objective } = room;
    const p =
      objective === undefined || objective === parameters.objective
        ? parameters
        : { ...parameters, objective };
    this.#room = room;
    this.#parameters = p;
    this.#memo = memo;
    const isTied = room.ties !== undefined && room.ties.length > 0;
    this.#ties = isTied ? new TieCosts(this, room, p) : undefined;
    if (this.#rtts.length !== playerIds.length) {
      this.#rtts = new Float64Array(playerIds.length);
      this.#errors = new Float64Array(playerIds.length);
    }
    const weights = weightsInOrder(room);
    const { mean: meanShare, max: maxShare } = leastShares(p, weights !== undefined);
    const search = {
      playerIds,
      weights,
      objective: p.objective,
      worstWeight: p.worstWeight,
      tailWeight: p.tailWeight,
      doubt: p.doubt,
      meanShare,
      maxShare,
      version: this.#version,
    };
    this.#open = memo.sync(this.map, search);
    return search;
  }

  #candidate(slot: number): DecisionCandidate | undefined {
    const view = this.#views[slot];
    const room = this.#room;
    const p = this.#parameters;
    if (view === undefined || room === undefined || p === undefined) return undefined;
    const open = this.#open;
    if (open === undefined) return undefined;
    const part = open.part(open.open(slot), p, this.#rtts, this.#errors);
    const work = workTimeAt(view, room);
    const tieMs = this.#ties?.tieMs(slot);
    const hostMs = hostCostMs(view, p, work) + (tieMs ?? 0);
    const { source, measuredShare } = knownOf(part, room.playerIds.length);
    const candidate: DecisionCandidate = {
      hostId: view.hostId,
      scoreMs: part.playersMs + hostMs,
      meanMs: part.meanMs,
      maxMs: part.maxMs,
      errorMs: part.errorMs,
      load: view.load,
      source,
      measuredShare,
      capStage: capStage(part.maxMs + (work?.workMs ?? 0), p.capsMs),
    };
    // What few have is added one by one: objects that are spread together take several times as long to make.
    if (work !== undefined) Object.assign(candidate, work);
    if (tieMs !== undefined) candidate.tieMs = tieMs;
    const rejected = excluded(room, view);
    if (rejected !== undefined) candidate.rejected = rejected;
    return candidate;
  }
}
