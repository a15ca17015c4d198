/**
 * A host of records in a process of its own: whoever gets a seat there sits down at once, and from when it is told to
 * "leave" goes again, with the room if it was the last.
 */
import { FakeAgent } from "../broker/support/fake-agent.js";

/** Longer than a busy broker takes to answer who comes. */
const STAY_MS = 1_000;
const [url = "", token = ""] = process.argv.slice(2);
const agent = await FakeAgent.start({ url, token, hostId: "host", net: new Map(), roomTypes: ["plain"] });
let leaves = false;

function sit(roomId: string, sessionId: string): void {
  agent.join(roomId, sessionId);
  if (!leaves) return;
  setTimeout(() => {
    agent.leave(roomId, sessionId);
    const room = agent.rooms.get(roomId);
    if (room === undefined || room.sessions.size > 0 || room.seats.size > 0) return;
    agent.rooms.delete(roomId);
    agent.tell(room, { event: "disposed" });
  }, STAY_MS);
}

for (const method of ["createRoom", "reserveSeat"] as const) {
  agent.scripts.set(method, async (request) => {
    const answer = await agent.usual(request);
    const sessionId =
      request.method === "reserveSeat"
        ? request.sessionId
        : request.method === "createRoom"
          ? request.seat?.sessionId
          : undefined;
    if (sessionId !== undefined) setImmediate(() => sit(request.roomId, sessionId));
    // They would be most of what this process holds.
    agent.requests.length = 0;
    return answer;
  });
}
process.on("message", () => {
  leaves = true;
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
