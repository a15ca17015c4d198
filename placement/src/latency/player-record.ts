/** What the latency map keeps of one player: its place, and a window of answers for each host it measured. */
import type { Place } from "./geodesic.js";
import type { MeasuredHost, PlayerModel } from "./player-model.js";
import type { ProbeWindow } from "./probe-window.js";
import { TAIL_ANSWERS, tailBaseMs, tailShareOfWindows } from "./tail.js";
import type { Samples } from "./vivaldi.js";

/** Hosts that every player measures. */
export const STANDING_HOSTS = 6;
/** A player whose path has changed is waited for so long, ms: its probes may be lost, or hosts be gone. */
export const LONGEST_REMEASURING_MS = 10_000;
/** Typical error of a single probe, relative. */
const PROBE_ERROR = 0.08;
/** Of normal noise: jitter (mean step) is 2/sqrt(pi) sigma, a median's error sqrt(pi/2) sigma per root of n. */
const MEDIAN_ERROR_PER_JITTER = Math.PI / 2 ** 1.5;

export interface Pair {
  window: ProbeWindow;
  /** What light forbids a round trip to fall below; undefined where the player's place is not known. */
  boundMs: number | undefined;
}

export interface PlayerRecord {
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
  /** When its path changed, and how many hosts place it again: as many as it knew before, at most the standing few. */
  remeasuring: { sinceMs: number; hosts: number } | undefined;
}

/** Its path has changed: what it measured is of another place. */
export function relocate(player: PlayerRecord, atMs: number): void {
  const awaited = isRemeasuring(player, atMs) ? (player.remeasuring?.hosts ?? 0) : 0;
  const hosts = Math.min(STANDING_HOSTS, Math.max(player.pairs.size, awaited));
  player.remeasuring = { sinceMs: atMs, hosts };
  player.pairs.clear();
}

/** Whether too few hosts have been measured since its path changed to say where it is now. */
export function isRemeasuring({ remeasuring, pairs }: PlayerRecord, atMs: number): boolean {
  return (
    remeasuring !== undefined &&
    pairs.size < remeasuring.hosts &&
    atMs - remeasuring.sinceMs < LONGEST_REMEASURING_MS
  );
}

/** Something was measured: what was made of the old measurements is over. */
export function touch(player: PlayerRecord): void {
  player.samples = undefined;
  player.stale = true;
}

/** Medians of what it measured, for its coordinate. */
export function samplesOf(player: PlayerRecord): Samples {
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

/** How far its p95 lie above p50, as a share of `tailBaseMs`. */
export function tailShareOfPlayer({ pairs }: PlayerRecord): number {
  const windows: ProbeWindow[] = [];
  for (const { window } of pairs.values()) windows.push(window);
  return tailShareOfWindows(windows);
}

/** @param tailShare of the player, for windows too short for a tail of their own */
export function measuredHost(slot: number, window: ProbeWindow, tailShare: number): MeasuredHost {
  const { p50Ms, samples } = window;
  const known = samples >= TAIL_ANSWERS;
  return {
    slot,
    p50Ms,
    tailMs: known ? window.p95Ms - p50Ms : tailShare * tailBaseMs(p50Ms),
    errorMs: (known ? window.jitterMs * MEDIAN_ERROR_PER_JITTER : PROBE_ERROR * p50Ms) / Math.sqrt(samples),
  };
}
