/** What a room host tells its agent can wait a moment for other messages where nobody waits for it. */
import type { RoomEvent } from "@centroid/protocol";

/** News goes along with other messages, or so late. */
export const NEWS_MS = 100;
/** What is told again every few seconds can wait for so long. */
export const ROUTINE_MS = 250;

const NEWS: ReadonlySet<RoomEvent["event"]> = new Set([
  "joined",
  "left",
  "measured",
  "work",
  "activity",
  "hears",
  "diverged",
]);

/**
 * How long what happened in a room can wait, in ms.
 * @param isRoutine nothing that anybody waits for has changed: it is told again in its turn
 */
export const mayWaitMs = ({ event }: RoomEvent, isRoutine = false): number => {
  if (!NEWS.has(event)) return 0;
  return isRoutine ? ROUTINE_MS : NEWS_MS;
};
