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
import { isRemeasuring, type PlayerRecord } from "../latency/player-record.js";
import type { Bounds, FoundHosts, KnownOfRoom, Search } from "./contenders.js";
import { Falls } from "./falls.js";
import { NeighbourhoodBounds } from "./neighbourhood-bounds.js";
import { OpenHosts } from "./open-hosts.js";

/** Hosts so little worse than the best stay open, so that small changes need no new look at all hosts. */
const MARGIN_SHARE = 0.08;
const MARGIN_MS = 2;
/** A cap is about one player, not about the mean, and changes by more. */
const CAP_MARGIN_SHARE = 0.2;
const CAP_MARGIN_MS = 8;
/** Falls are counted for bounds that are so many times as wide, since bounds widen from look to look; not more than twice that. */
const REACH = 1.25;
const MOST_REACH = 2 * REACH;
/** Hosts that were opened since all were looked at, beyond as many as were found then: time to look again. */
const MOST_OPENED = 48;

export const withMargin = ({ limitMs, capMs }: Bounds): Bounds => ({
  limitMs: limitMs * (1 + MARGIN_SHARE) + MARGIN_MS,
  capMs: Number.isFinite(capMs) ? capMs * (1 + CAP_MARGIN_SHARE) + CAP_MARGIN_MS : capMs,
});

/** By player: its slot in the map, and the revision that the map had of it. Each search looks at these, so they are close together. */
const WATCHED = 2;
const SLOT = 0;
const REVISION = 1;
/** Of a player that the map does not know. */
const NO_SLOT = 2 ** 32 - 1;

/** What a player was found to be, in so many numbers. */
const SEEN = 3;
const FIT = 0;
const REMEASURED = 1;
const UNBROKEN = 2;

/** Of one room. */
export class SearchMemo {
  #search: Search | undefined;
  /** By player, `WATCHED` numbers. */
  #watched = new Uint32Array(0);
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
  #falls: Falls | undefined;
  readonly #neighbourhoods = new NeighbourhoodBounds();

  /** Takes in what has changed. */
  sync(map: LatencyMap, search: Search): OpenHosts {
    const moved = map.moves.since(this.#moves);
    let open = this.#open;
    if (open === undefined || moved === undefined || !this.#isSame(map, search))
      open = this.#restart(map, search);
    else {
      const { revisions, epoch } = map;
      const isSameEpoch = epoch === this.#epoch;
      const watched = this.#watched;
      for (let i = 0; i < this.#players.length; i++) {
        const slot = watched[i * WATCHED + SLOT] ?? NO_SLOT;
        if (slot === NO_SLOT || (isSameEpoch && revisions[slot] === watched[i * WATCHED + REVISION]))
          continue;
        watched[i * WATCHED + REVISION] = revisions[slot] ?? 0;
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
    const falls = this.#falls;
    if (bounds === undefined || falls === undefined) return false;
    if ((this.#open?.size ?? 0) > this.#found + MOST_OPENED) return false;
    return bounds.limitMs - falls.sinceLookMs >= limitMs && bounds.capMs - falls.mostSinceLookMs >= capMs;
  }

  /** For a look at all hosts within the bounds: what is known of them from the looks before. */
  known(bounds: Bounds): KnownOfRoom | undefined {
    const open = this.#open;
    const falls = this.#falls;
    if (open === undefined || falls === undefined) return undefined;
    const mostMs = this.#mostMs(bounds);
    if (mostMs > falls.reachMs || mostMs * MOST_REACH < falls.reachMs) {
      falls.reachMs = mostMs * REACH;
      this.#boundAnew();
    }
    return { models: this.models, open, falls, neighbourhoods: this.#neighbourhoods };
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
    this.#falls?.looked();
  }

  /** Whether, of the players of the last search, one's path changed just now. */
  isRemeasuring(atMs: number): boolean {
    for (const player of this.#players) if (player !== undefined && isRemeasuring(player, atMs)) return true;
    return false;
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
    let weight = 0;
    for (let i = 0; i < count; i++) weight += weights?.[i] ?? 1;
    this.#perWeight = 1 / Math.max(weight, Number.MIN_VALUE);
    const falls = new Falls(this.#search, this.#perWeight);
    this.#falls = falls;
    this.#seen = new Float64Array(count * SEEN);
    this.#watched = new Uint32Array(count * WATCHED);
    this.#players = [];
    this.models.length = count;
    this.#known = 0;
    for (let i = 0; i < count; i++) {
      const player = map.player(playerIds[i] ?? "");
      const model = player && map.modelOf(player);
      this.#players.push(player);
      this.models[i] = model;
      this.#watched[i * WATCHED + SLOT] = player?.slot ?? NO_SLOT;
      if (player === undefined || model === undefined) continue;
      this.#known++;
      this.#watched[i * WATCHED + REVISION] = map.revisions[player.slot] ?? 0;
      this.#seen[i * SEEN + REMEASURED] = remeasuredOf(model);
      this.#see(i, model);
      falls.begin(i, model);
    }
    this.#neighbourhoods.reset();
    this.#open = new OpenHosts(map, this.#search, this.models, this.#perWeight, falls);
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
    if (isFit) {
      open.refitted(i);
      this.#refit(i, model);
    }
    for (let s = 0, end = measuredCount(model); s < end; s++) {
      const at = sampleAt(s);
      if (stampOf(model, at) > before) open.remeasured(i, slotAt(model, at));
    }
    seen[from + REMEASURED] = remeasuredOf(model);
    return true;
  }

  #refit(i: number, model: PlayerModel): void {
    const isUnbroken = this.#seen[i * SEEN + UNBROKEN] === unbrokenSince(model);
    this.#see(i, model);
    const lookReachMs = this.#bounds === undefined ? -1 : this.#mostMs(this.#bounds);
    if (isUnbroken && this.#falls?.refitted(i, model, lookReachMs) === true) return;
    this.#falls?.begin(i, model);
    this.#bounds = undefined;
    this.#boundAnew();
  }

  /** Bounds of before tell nothing any more. */
  #boundAnew(): void {
    this.#open?.sumAnew();
    this.#neighbourhoods.reset();
  }

  #see(i: number, model: PlayerModel): void {
    this.#seen[i * SEEN + FIT] = fitOf(model);
    this.#seen[i * SEEN + UNBROKEN] = unbrokenSince(model);
  }

  /** No player of a host within the bounds has a larger score, ms. */
  #mostMs({ limitMs, capMs }: Bounds): number {
    const maxShare = this.#search?.maxShare ?? 0;
    return Math.max(maxShare === 0 ? Number.POSITIVE_INFINITY : limitMs / maxShare, capMs);
  }
}

function isEqual(a: ArrayLike<unknown> | undefined, b: ArrayLike<unknown> | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
