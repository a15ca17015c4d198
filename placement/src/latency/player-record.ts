/** What the latency map keeps of one player: its place, and a window of answers for each host it measured. */
import type { Place } from "./geodesic.js";
import type { NodeSpace } from "./node-space.js";
import { type MeasuredHost, type PlayerModel, remeasure } from "./player-model.js";
import type { ProbeWindow } from "./probe-window.js";
import { TAIL_ANSWERS, tailBaseMs, tailShareOfWindows } from "./tail.js";
import type { Samples } from "./vivaldi.js";

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

export interface Pair {
  window: ProbeWindow;
  /** What light forbids a round trip to fall below; undefined where the player's place is not known. */
  boundMs: number | undefined;
  /** Median as estimates of other hosts use it: it follows in steps. NaN before it is used. */
  usedMs: number;
  /** Something was measured that the player's model does not have yet. */
  fresh: boolean;
}

export interface PlayerRecord {
  id: string;
  /** Where in which space it is. */
  slot: number;
  space: NodeSpace;
  place: Place | undefined;
  /** By slot of the host. */
  pairs: Map<number, Pair>;
  samples: Samples | undefined;
  /** How far p95 lie above p50, as estimates use it: it follows in steps. */
  tailShare: number;
  /** Hosts whose pair is fresh, by slot. */
  fresh: number[];
  /**
   * Slot of the host it was nearest to when its own place was last settled, -1 without hosts. Never looked up when
   * somebody asks: hosts move, and estimates must not depend on who asked when.
   */
  cell: number;
  model: PlayerModel | undefined;
  stale: boolean;
  /** Of the map when the record was last found to be up to date. */
  epoch: number;
  /** When its path changed, and how many hosts place it again: as many as it knew before, at most the standing few. */
  remeasuring: { sinceMs: number; hosts: number } | undefined;
  /** The map does not know it any more. */
  gone: boolean;
}

/** Its path has changed: what it measured is of another place. */
export function relocate(player: PlayerRecord, atMs: number): void {
  const awaited = isRemeasuring(player, atMs) ? (player.remeasuring?.hosts ?? 0) : 0;
  const hosts = Math.min(STANDING_HOSTS, Math.max(player.pairs.size, awaited));
  player.remeasuring = { sinceMs: atMs, hosts };
  player.pairs.clear();
  player.tailShare = 0;
}

/** Whether too few hosts have been measured since its path changed to say where it is now. */
export function isRemeasuring({ remeasuring, pairs }: PlayerRecord, atMs: number): boolean {
  return (
    remeasuring !== undefined &&
    pairs.size < remeasuring.hosts &&
    atMs - remeasuring.sinceMs < LONGEST_REMEASURING_MS
  );
}

/** What estimates were made of is over: they are made anew. */
export function touch(player: PlayerRecord): void {
  player.samples = undefined;
  outdate(player);
}

/** Its model must be made anew. */
export function outdate(player: PlayerRecord): void {
  player.stale = true;
  player.space.changed(player.slot);
}

/**
 * A pair was measured again. Its own numbers count at once; estimates of other hosts follow once the median, or the
 * player's usual tail, has moved notably, or every ping would cost estimates of every host.
 */
export function measuredAgain(player: PlayerRecord, slot: number, pair: Pair): void {
  const { window } = pair;
  if (!pair.fresh) player.fresh.push(slot);
  pair.fresh = true;
  player.space.changed(player.slot);
  const p50Ms = window.p50Ms;
  if (Math.abs(p50Ms - pair.usedMs) > Math.max(STEP_MS, STEP_SHARE * pair.usedMs)) {
    pair.usedMs = p50Ms;
    touch(player);
  }
  if (window.answers % TAIL_ANSWERS !== 0) return;
  const tailShare = tailShareOfPlayer(player);
  if (Math.abs(tailShare - player.tailShare) <= TAIL_STEP) return;
  player.tailShare = tailShare;
  outdate(player);
}

/** Medians of what it measured, for its coordinate. */
export function samplesOf(player: PlayerRecord): Samples {
  if (player.samples !== undefined) return player.samples;
  const slots: number[] = [];
  const rttsMs: number[] = [];
  for (const [slot, { usedMs }] of player.pairs) {
    slots.push(slot);
    rttsMs.push(usedMs);
  }
  player.samples = { slots, rttsMs };
  return player.samples;
}

/** How far its p95 lie above p50, as a share of `tailBaseMs`. */
function tailShareOfPlayer({ pairs }: PlayerRecord): number {
  const windows: ProbeWindow[] = [];
  for (const { window } of pairs.values()) windows.push(window);
  return tailShareOfWindows(windows);
}

/** Brings what its model says of measured hosts up to date, estimates aside. */
export function refresh(player: PlayerRecord, model: PlayerModel): void {
  for (const slot of player.fresh) {
    const pair = player.pairs.get(slot);
    if (pair === undefined) continue;
    pair.fresh = false;
    remeasure(model, measuredHost(slot, pair, player.tailShare));
  }
  player.fresh = [];
}

/** @param tailShare of the player, for windows too short for a tail of their own */
export function measuredHost(slot: number, { window, usedMs, fresh }: Pair, tailShare: number): MeasuredHost {
  const { p50Ms, samples } = window;
  const known = samples >= TAIL_ANSWERS;
  return {
    slot,
    fresh,
    p50Ms,
    usedMs,
    tailMs: known ? window.p95Ms - p50Ms : tailShare * tailBaseMs(p50Ms),
    errorMs: (known ? window.jitterMs * MEDIAN_ERROR_PER_JITTER : PROBE_ERROR * p50Ms) / Math.sqrt(samples),
  };
}
