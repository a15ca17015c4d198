/** What players measure. */
import type { PlayerEntry } from "./player-registry.js";

export interface ProbeEvents {
  /** A player reported its place or round trips, to this broker or to another. */
  "player.measured": { player: PlayerEntry };
}
