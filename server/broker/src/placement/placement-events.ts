/** What placement decides. */
import type { Decision } from "@centroid/protocol";

export interface PlacementEvents {
  "decision.made": { decision: Decision };
  /** It runs nowhere and no host has a slot for it: others may make way. */
  "room.unplaced": { roomId: string };
  /** A move that placement ordered could not begin, or was rolled back. */
  "room.move-failed": { roomId: string };
}
