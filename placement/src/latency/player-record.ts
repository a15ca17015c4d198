/** What the latency map keeps of one player: its place, and a window of answers for each host it measured. */
import type { Place } from "./geodesic.js";
import type { NodeSpace } from "./node-space.js";
import { type MeasuredHost, type PlayerModel, remeasure } from "./player-model.js";
import type { ProbeWindows } from "./probe-windows.js";
import { TAIL_ANSWERS, tailBaseMs, tailShareOfWindows } from "./tail.js";
import { WindowList } from "./window-list.js";

/** Hosts that every player measures. */
export const STANDING_HOSTS = 6;
/** A player whose path has changed is waited for so long, ms: its probes may be lost, or hosts be gone. */
export const LONGEST_REMEASURING_MS = 10_000;
/** Typical error of a single probe, relative. */
const PROBE_ERROR = 0.08;
/** A median follows in steps of so much, or of this share. */
const STEP_MS = 0.5;
const STEP_SHARE = 0.02;
/** The tail's share follows in steps of so much: with a quarter of the tail in a score, 1 ms of a path of 100 ms. */
const TAIL_STEP = 0.03;
/** Of normal noise: jitter (mean step) is 2/sqrt(pi) sigma, a median's error sqrt(pi/2) sigma per root of n. */
const MEDIAN_ERROR_PER_JITTER = Math.PI / 2 ** 1.5;

export class PlayerRecord {
  readonly id: string;
  /** Where in which space it is. */
  readonly slot: number;
  readonly space: NodeSpace;
  place: Place | undefined;
  /** Of the hosts that it has measured, in the order in which it first did. */
  readonly windows: WindowList;
  /** How far p95 lie above p50, as estimates use it: it follows in steps. */
  tailShare = 0;
  /** Some window is fresh. */
  isFresh = false;
  /**
   * Slot of the host it was nearest to when its own place was last settled, -1 without hosts. Never looked up when
   * somebody asks: hosts move, and estimates must not depend on who asked when.
   */
  cell: number;
  model: PlayerModel | undefined;
  stale = true;
  /** Of the map when the record was last found to be up to date. */
  epoch = -1;
  /** When its path changed, and how many hosts place it again: as many as it knew before, at most the standing few. */
  remeasuring: { sinceMs: number; hosts: number } | undefined;
  /** The map does not know it any more. */
  gone = false;

  constructor(
    id: string,
    slot: number,
    {
      space,
      windows,
      place,
      cell,
    }: Pick<PlayerRecord, "space" | "place" | "cell"> & { windows: ProbeWindows },
  ) {
    this.id = id;
    this.slot = slot;
    this.space = space;
    this.place = place;
    this.windows = new WindowList(windows);
    this.cell = cell;
  }
}

/** Its path has changed, as this window shows: what it measured elsewhere is of another place. */
export function relocate(player: PlayerRecord, window: number, atMs: number): void {
  const awaited = isRemeasuring(player, atMs) ? (player.remeasuring?.hosts ?? 0) : 0;
  const hosts = Math.min(STANDING_HOSTS, Math.max(player.windows.size, awaited));
  player.remeasuring = { sinceMs: atMs, hosts };
  player.windows.keepOnly(window);
  player.tailShare = 0;
}

/** Whether too few hosts have been measured since its path changed to say where it is now. */
export function isRemeasuring({ remeasuring, windows }: PlayerRecord, atMs: number): boolean {
  return (
    remeasuring !== undefined &&
    windows.size < remeasuring.hosts &&
    atMs - remeasuring.sinceMs < LONGEST_REMEASURING_MS
  );
}

/** Its model must be made anew. */
export function outdate(player: PlayerRecord): void {
  player.stale = true;
  player.space.changed(player.slot);
}

/**
 * A host was measured again. Its own numbers count at once; estimates of other hosts follow once the median, or the
 * player's usual tail, has moved notably, or every ping would cost estimates of every host.
 */
export function measuredAgain(player: PlayerRecord, window: number): void {
  const { pool } = player.windows;
  player.isFresh = true;
  pool.setFresh(window, true);
  player.space.changed(player.slot);
  const p50Ms = pool.p50Ms(window);
  const usedMs = pool.usedMs(window);
  if (Math.abs(p50Ms - usedMs) > Math.max(STEP_MS, STEP_SHARE * usedMs)) {
    pool.setUsedMs(window, p50Ms);
    outdate(player);
  }
  if (pool.answers(window) % TAIL_ANSWERS !== 0) return;
  const tailShare = tailShareOfWindows(player.windows);
  if (Math.abs(tailShare - player.tailShare) <= TAIL_STEP) return;
  player.tailShare = tailShare;
  outdate(player);
}

/** Brings what its model says of measured hosts up to date, estimates aside. */
export function refresh(player: PlayerRecord, model: PlayerModel): void {
  const { windows, tailShare } = player;
  const { pool } = windows;
  for (let window = windows.first; window >= 0; window = pool.next(window)) {
    if (!pool.isFresh(window)) continue;
    pool.setFresh(window, false);
    remeasure(model, measuredHost(pool, window, tailShare));
  }
  player.isFresh = false;
}

/** @param tailShare of the player, for windows too short for a tail of their own */
export function measuredHost(pool: ProbeWindows, window: number, tailShare: number): MeasuredHost {
  const p50Ms = pool.p50Ms(window);
  const samples = pool.samples(window);
  const known = samples >= TAIL_ANSWERS;
  return {
    slot: pool.host(window),
    fresh: pool.isFresh(window),
    p50Ms,
    usedMs: pool.usedMs(window),
    tailMs: known ? pool.p95Ms(window) - p50Ms : tailShare * tailBaseMs(p50Ms),
    errorMs:
      (known ? pool.jitterMs(window) * MEDIAN_ERROR_PER_JITTER : PROBE_ERROR * p50Ms) / Math.sqrt(samples),
  };
}
