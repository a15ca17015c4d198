/**
 * What is remembered of a room from one search to the next: the few hosts that are open, and how far estimates may fall
 * before another could be among the best. What one player measures changes a few numbers here, and nothing else is
 * looked at.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import {
  fitOf,
  measuredCount,
  type PlayerModel,
  remeasuredOf,
  sampleAt,
  slotAt,
  stampOf,
  unbrokenSince,
} from "../latency/player-model.js";
import type { PlayerRecord } from "../latency/player-record.js";
import type { Bounds, FoundHosts, Search } from "./contenders.js";
import { OpenHosts } from "./open-hosts.js";
import { type FallMark, fallMarkOf, fallSinceMs } from "./player-score.js";

/** Hosts so little worse than the best stay open, so that small changes need no new look at all hosts. */
const MARGIN_SHARE = 0.05;
const MARGIN_MS = 1;
/** A cap is about one player, not about the mean, and changes by more. */
const CAP_MARGIN_SHARE = 0.12;
const CAP_MARGIN_MS = 4;
/** Hosts that were opened since all were looked at, beyond as many as were found then: time to look again. */
const MOST_OPENED = 48;

export const withMargin = ({ limitMs, capMs }: Bounds): Bounds => ({
  limitMs: limitMs * (1 + MARGIN_SHARE) + MARGIN_MS,
  capMs: Number.isFinite(capMs) ? capMs * (1 + CAP_MARGIN_SHARE) + CAP_MARGIN_MS : capMs,
});

interface Seen {
  player: PlayerRecord;
  fit: number;
  remeasured: number;
  unbroken: number;
  /** At the last fit, and when all hosts were looked at. */
  mark: FallMark;
  coveredMark: FallMark;
  /** Since all hosts were looked at, ms. */
  fallMs: number;
}

/** Of one room. */
export class SearchMemo {
  #search: Search | undefined;
  /** By player; undefined if the map does not know it. */
  #seen: (Seen | undefined)[] = [];
  #known = 0;
  readonly models: (PlayerModel | undefined)[] = [];
  #moves = 0;
  /** Those found when all were looked at, and others since. */
  #open: OpenHosts | undefined;
  #found = 0;
  /** Of players, as the map had them when they were last looked at. */
  #playerSlots = new Int32Array(0);
  #revisions = new Uint32Array(0);
  #epoch = -1;
  /** What every host that is not open had at least; undefined if nobody has looked. */
  #bounds: Bounds | undefined;
  #perWeight = 0;

  /** Takes in what has changed. */
  sync(map: LatencyMap, search: Search): OpenHosts {
    const moved = map.moves.since(this.#moves);
    let open = this.#open;
    if (open === undefined || moved === undefined || !this.#isSame(map, search))
      open = this.#restart(map, search);
    else {
      const { revisions, epoch } = map;
      const isSameEpoch = epoch === this.#epoch;
      for (let i = 0; i < this.#playerSlots.length; i++) {
        const slot = this.#playerSlots[i] ?? -1;
        if (slot < 0 || (isSameEpoch && revisions[slot] === this.#revisions[i])) continue;
        this.#revisions[i] = revisions[slot] ?? 0;
        if (this.#follow(map, open, i)) continue;
        open = this.#restart(map, search);
        break;
      }
      for (const slot of moved) open.forget(open.open(slot));
    }
    this.#moves = map.moves.count;
    this.#epoch = map.epoch;
    return open;
  }

  /** Whether every host within these bounds is open. */
  covers({ limitMs, capMs }: Bounds): boolean {
    const bounds = this.#bounds;
    if (bounds === undefined || (this.#open?.slots.length ?? 0) > this.#found + MOST_OPENED) return false;
    const { meanShare = 0, maxShare = 0, weights } = this.#search ?? {};
    let sum = 0;
    let most = 0;
    for (let i = 0; i < this.#seen.length; i++) {
      const fallMs = this.#seen[i]?.fallMs ?? 0;
      sum += (weights?.[i] ?? 1) * fallMs;
      if (fallMs > most) most = fallMs;
    }
    const fallMs = meanShare * sum * this.#perWeight + maxShare * most;
    return bounds.limitMs - fallMs >= limitMs && bounds.capMs - most >= capMs;
  }

  /** All hosts were looked at: those within the bounds are found, the others can be closed. */
  cover({ slots, scores, errors }: FoundHosts, bounds: Bounds): void {
    this.#open?.keep(new Set(slots));
    slots.forEach((slot, at) => {
      this.#open?.put(slot, scores, errors, at * this.models.length);
    });
    this.#found = slots.length;
    this.#bounds = bounds;
    // Falls count up to where they matter, which depends on the bounds.
    this.#open?.sumAnew();
    for (const seen of this.#seen) {
      if (seen === undefined) continue;
      seen.coveredMark = seen.mark;
      seen.fallMs = 0;
    }
  }

  #isSame(map: LatencyMap, now: Search): boolean {
    const before = this.#search;
    if (
      before === undefined ||
      before.version !== now.version ||
      before.objective !== now.objective ||
      before.worstWeight !== now.worstWeight ||
      before.tailWeight !== now.tailWeight ||
      before.doubt !== now.doubt ||
      before.meanShare !== now.meanShare ||
      before.maxShare !== now.maxShare ||
      !isEqual(before.playerIds, now.playerIds) ||
      !isEqual(before.weights, now.weights)
    )
      return false;
    if (this.#known === this.#seen.length) return true;
    for (let i = 0; i < this.#seen.length; i++)
      if (this.#seen[i] === undefined && map.player(now.playerIds[i] ?? "") !== undefined) return false;
    return true;
  }

  #restart(map: LatencyMap, search: Search): OpenHosts {
    this.#search = { ...search, playerIds: [...search.playerIds] };
    this.#bounds = undefined;
    this.#found = 0;
    const { playerIds, weights } = search;
    const count = playerIds.length;
    this.#seen = [];
    this.models.length = count;
    this.#playerSlots = new Int32Array(count).fill(-1);
    this.#revisions = new Uint32Array(count);
    this.#known = 0;
    let weight = 0;
    for (let i = 0; i < count; i++) {
      weight += weights?.[i] ?? 1;
      const player = map.player(playerIds[i] ?? "");
      const model = player && map.modelOf(player);
      this.models[i] = model;
      this.#seen[i] = undefined;
      if (player === undefined || model === undefined) continue;
      this.#known++;
      this.#playerSlots[i] = player.slot;
      this.#revisions[i] = map.revisions[player.slot] ?? 0;
      const mark = fallMarkOf(model);
      this.#seen[i] = {
        player,
        fit: fitOf(model),
        remeasured: remeasuredOf(model),
        unbroken: unbrokenSince(model),
        mark,
        coveredMark: mark,
        fallMs: 0,
      };
    }
    this.#perWeight = 1 / Math.max(weight, Number.MIN_VALUE);
    this.#open = new OpenHosts(map, this.#search, this.models, this.#perWeight);
    return this.#open;
  }

  /** @returns false if the map does not know the player any more */
  #follow(map: LatencyMap, open: OpenHosts, i: number): boolean {
    const seen = this.#seen[i];
    if (seen === undefined || seen.player.gone) return false;
    const model = map.modelOf(seen.player);
    const isFit = seen.fit !== fitOf(model);
    if (!isFit && seen.remeasured === remeasuredOf(model)) return true;
    this.models[i] = model;
    if (isFit) open.refitted(i, this.#refit(seen, model));
    for (let s = 0, end = measuredCount(model); s < end; s++) {
      const at = sampleAt(s);
      if (stampOf(model, at) > seen.remeasured) open.remeasured(i, slotAt(model, at));
    }
    seen.remeasured = remeasuredOf(model);
    return true;
  }

  /** @returns by how much its estimates have fallen at most, infinite if nobody knows */
  #refit(seen: Seen, model: PlayerModel): number {
    const before = seen.mark;
    const isUnbroken = seen.unbroken === unbrokenSince(model);
    seen.fit = fitOf(model);
    seen.mark = fallMarkOf(model);
    seen.unbroken = unbrokenSince(model);
    const fallMs = isUnbroken ? this.#fallMs(model, before) : Number.POSITIVE_INFINITY;
    if (Number.isFinite(fallMs)) seen.fallMs = this.#fallMs(model, seen.coveredMark);
    else this.#bounds = undefined;
    return fallMs;
  }

  /** Since then; infinite where nobody knows which falls matter. */
  #fallMs(model: PlayerModel, since: FallMark): number {
    const bounds = this.#bounds;
    const search = this.#search;
    if (bounds === undefined || search === undefined) return Number.POSITIVE_INFINITY;
    const { maxShare } = search;
    const mostMs = maxShare === 0 ? Number.POSITIVE_INFINITY : bounds.limitMs / maxShare;
    return fallSinceMs(model, since, Math.max(mostMs, bounds.capMs), search);
  }
}

function isEqual(a: ArrayLike<unknown> | undefined, b: ArrayLike<unknown> | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
