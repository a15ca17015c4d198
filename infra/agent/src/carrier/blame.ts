/** What a room host said of its end, as the broker is told of it: which room's code that was. */
import type { RoomEvent } from "@centroid/protocol";
import type { LastWords } from "@centroid/room-host";

type Blame = NonNullable<Extract<RoomEvent, { event: "lost" }>["blame"]>;

export function blameOf({ how, what, sessionId }: LastWords): Blame {
  return { how, what: what ?? "its code", ...(sessionId !== undefined && sessionId !== "" && { sessionId }) };
}
