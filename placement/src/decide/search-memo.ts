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
import { FALL_MARK, fallSinceMs, markFalls } from "./player-score.js";

/** Hosts so little worse than the best stay open, so that small changes need no new look at all hosts. */
const MARGIN_SHARE = 0.08;
const MARGIN_MS = 2;
/** A cap is about one player, not about the mean, and changes by more. */
const CAP_MARGIN_SHARE = 0.2;
const CAP_MARGIN_MS = 8;
/** Hosts that were opened since all were looked at, beyond as many as were found then: time to look again. */
const MOST_OPENED = 48;

export const withMargin = ({ limitMs, capMs }: Bounds): Bounds => ({
  limitMs: limitMs * (1 + MARGIN_SHARE) + MARGIN_MS,
  capMs: Number.isFinite(capMs) ? capMs * (1 + CAP_MARGIN_SHARE) + CAP_MARGIN_MS : capMs,
});

/** What a player was found to be, in so many numbers: its slot in the map or -1, and the state of what the map knows of it. */
const SLOT = 0;
const REVISION = 1;
const FIT = 2;
const REMEASURED = 3;
const UNBROKEN = 4;
/** How far its scores may have fallen since all hosts were looked at, ms. */
const FALL_MS = 5;
/** At its last fit, and when all hosts were looked at. */
const MARK = 6;
const COVERED_MARK = MARK + FALL_MARK;
const SEEN = COVERED_MARK + FALL_MARK;

/** Of one room. */
export class SearchMemo {
  #search: Search | undefined;
  /** By player, `SEEN` numbers. */
  #seen = new Float64Array(0);
  /** By player; undefined if the map does not know it. */
  #players: (PlayerRecord | undefined)[] = [];
  #known = 0;
  readonly models: (PlayerModel | undefined)[] = [];
  #moves = 0;
  /** Those found when all were looked at, and others since. */
  #open: OpenHosts | undefined;
  #found = 0;
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
      const seen = this.#seen;
      for (let i = 0; i < this.#players.length; i++) {
        const slot = seen[i * SEEN + SLOT] ?? -1;
        if (slot < 0 || (isSameEpoch && revisions[slot] === seen[i * SEEN + REVISION])) continue;
        seen[i * SEEN + REVISION] = revisions[slot] ?? 0;
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
    if (bounds === undefined || (this.#open?.size ?? 0) > this.#found + MOST_OPENED) return false;
    const { meanShare = 0, maxShare = 0, weights } = this.#search ?? {};
    let sum = 0;
    let most = 0;
    for (let i = 0; i < this.#players.length; i++) {
      const fallMs = this.#seen[i * SEEN + FALL_MS] ?? 0;
      sum += (weights?.[i] ?? 1) * fallMs;
      if (fallMs > most) most = fallMs;
    }
    const fallMs = meanShare * sum * this.#perWeight + maxShare * most;
    return bounds.limitMs - fallMs >= limitMs && bounds.capMs - most >= capMs;
  }

  /** All hosts were looked at: those within the bounds are found, the others can be closed. */
  cover(found: FoundHosts, bounds: Bounds): void {
    const { known, slots } = found;
    this.#open?.keep(new Set([...known, ...slots]));
    slots.forEach((slot, at) => {
      this.#open?.put(slot, found, at * this.models.length, false);
    });
    this.#found = known.length + slots.length;
    this.#bounds = bounds;
    // Falls count up to where they matter, which depends on the bounds.
    this.#open?.sumAnew();
    const seen = this.#seen;
    for (let at = 0; at < seen.length; at += SEEN) {
      seen.copyWithin(at + COVERED_MARK, at + MARK, at + MARK + FALL_MARK);
      seen[at + FALL_MS] = 0;
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
    if (this.#known === this.#players.length) return true;
    for (let i = 0; i < this.#players.length; i++)
      if (this.#players[i] === undefined && map.player(now.playerIds[i] ?? "") !== undefined) return false;
    return true;
  }

  #restart(map: LatencyMap, search: Search): OpenHosts {
    this.#search = { ...search, playerIds: [...search.playerIds] };
    this.#bounds = undefined;
    this.#found = 0;
    const { playerIds, weights } = search;
    const count = playerIds.length;
    const seen = new Float64Array(count * SEEN);
    this.#seen = seen;
    this.#players = [];
    this.models.length = count;
    this.#known = 0;
    let weight = 0;
    for (let i = 0; i < count; i++) {
      weight += weights?.[i] ?? 1;
      const player = map.player(playerIds[i] ?? "");
      const model = player && map.modelOf(player);
      this.#players.push(player);
      this.models[i] = model;
      const at = i * SEEN;
      seen[at + SLOT] = player?.slot ?? -1;
      if (player === undefined || model === undefined) continue;
      this.#known++;
      seen[at + REVISION] = map.revisions[player.slot] ?? 0;
      seen[at + REMEASURED] = remeasuredOf(model);
      this.#mark(at, model);
      seen.copyWithin(at + COVERED_MARK, at + MARK, at + MARK + FALL_MARK);
    }
    this.#perWeight = 1 / Math.max(weight, Number.MIN_VALUE);
    this.#open = new OpenHosts(map, this.#search, this.models, this.#perWeight);
    return this.#open;
  }

  /** @returns false if the map does not know the player any more */
  #follow(map: LatencyMap, open: OpenHosts, i: number): boolean {
    const player = this.#players[i];
    if (player === undefined || player.gone) return false;
    const seen = this.#seen;
    const from = i * SEEN;
    const model = map.modelOf(player);
    const isFit = seen[from + FIT] !== fitOf(model);
    const before = seen[from + REMEASURED] ?? 0;
    if (!isFit && before === remeasuredOf(model)) return true;
    this.models[i] = model;
    if (isFit) open.refitted(i, this.#refit(from, model));
    for (let s = 0, end = measuredCount(model); s < end; s++) {
      const at = sampleAt(s);
      if (stampOf(model, at) > before) open.remeasured(i, slotAt(model, at));
    }
    seen[from + REMEASURED] = remeasuredOf(model);
    return true;
  }

  /**
   * @param from where its numbers are
   * @returns by how much its estimates have fallen at most, infinite if nobody knows
   */
  #refit(from: number, model: PlayerModel): number {
    const seen = this.#seen;
    const isUnbroken = seen[from + UNBROKEN] === unbrokenSince(model);
    const fallMs = isUnbroken ? this.#fallMs(model, from + MARK) : Number.POSITIVE_INFINITY;
    this.#mark(from, model);
    if (Number.isFinite(fallMs)) seen[from + FALL_MS] = this.#fallMs(model, from + COVERED_MARK);
    else this.#bounds = undefined;
    return fallMs;
  }

  #mark(from: number, model: PlayerModel): void {
    const seen = this.#seen;
    seen[from + FIT] = fitOf(model);
    seen[from + UNBROKEN] = unbrokenSince(model);
    markFalls(model, seen, from + MARK);
  }

  /** Since this mark; infinite where nobody knows which falls matter. */
  #fallMs(model: PlayerModel, mark: number): number {
    const bounds = this.#bounds;
    const search = this.#search;
    if (bounds === undefined || search === undefined) return Number.POSITIVE_INFINITY;
    const { maxShare } = search;
    const mostMs = maxShare === 0 ? Number.POSITIVE_INFINITY : bounds.limitMs / maxShare;
    return fallSinceMs(model, this.#seen, mark, Math.max(mostMs, bounds.capMs), search);
  }
}

function isEqual(a: ArrayLike<unknown> | undefined, b: ArrayLike<unknown> | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
