/**
 * What rooms compute, whatever host measured it: at speed 1, and smoothed, so that neither a burst of requests nor a kind of
 * work that one host does better than its measured speed says sends a room to and fro.
 */
import type { RoomDemand } from "@centroid/placement";
import type { RoomWorkload } from "@centroid/protocol";
import type { HostEntry } from "../hosts/host-registry.js";

/** Weight of the newest report; they come every few seconds. */
const LEARNING_RATE = 0.3;
/** A change of less is none. */
const NOTABLE_SHARE = 0.1;
/** Fewer are none, per second. */
const LEAST_RATE = 0.01;

/** @param host on which it was measured */
export function learnDemand(
  before: RoomDemand | undefined,
  { msPerRequest, perSecond, declared }: RoomWorkload,
  host: Pick<HostEntry, "speed"> | undefined,
): RoomDemand {
  if (declared === true) return before ?? { msPerRequest, perSecond };
  const now = { msPerRequest: msPerRequest * (host?.speed?.oneCore ?? 1), perSecond };
  if (before === undefined) return now;
  const mix = (old: number, fresh: number): number => old + LEARNING_RATE * (fresh - old);
  const rate = mix(before.perSecond, perSecond);
  return {
    // Nothing done says nothing of what a request costs.
    msPerRequest: perSecond === 0 ? before.msPerRequest : mix(before.msPerRequest, now.msPerRequest),
    perSecond: rate < LEAST_RATE ? 0 : rate,
  };
}

/** Whether a room may be better off elsewhere because of it. */
export function isNotable(before: RoomDemand | undefined, now: RoomDemand): boolean {
  const busy = (of: RoomDemand): number => of.msPerRequest * of.perSecond;
  return before === undefined || Math.abs(busy(now) - busy(before)) > NOTABLE_SHARE * busy(before);
}
