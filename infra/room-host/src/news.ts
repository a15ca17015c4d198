/** What a room host tells its agent can wait a moment for other messages where nobody waits for it. */
import type { RoomEvent } from "@centroid/protocol";

/** News goes along with other messages, or so late. */
export const NEWS_MS = 100;

const NEWS: ReadonlySet<RoomEvent["event"]> = new Set([
  "joined",
  "left",
  "measured",
  "work",
  "activity",
  "hears",
  "diverged",
]);

/** How long what happened in a room can wait, in ms. */
export const mayWaitMs = ({ event }: RoomEvent): number => (NEWS.has(event) ? NEWS_MS : 0);
