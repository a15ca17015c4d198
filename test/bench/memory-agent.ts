/** A host of records in a process of its own: whoever gets a seat there sits down at once. */
import { FakeAgent } from "../broker/support/fake-agent.js";

const [url = "", token = ""] = process.argv.slice(2);
const agent = await FakeAgent.start({ url, token, hostId: "host", net: new Map(), roomTypes: ["plain"] });
for (const method of ["createRoom", "reserveSeat"] as const) {
  agent.scripts.set(method, async (request) => {
    const answer = await agent.usual(request);
    const sessionId =
      request.method === "reserveSeat"
        ? request.sessionId
        : request.method === "createRoom"
          ? request.seat?.sessionId
          : undefined;
    if (sessionId !== undefined) setImmediate(() => agent.join(request.roomId, sessionId));
    return answer;
  });
}
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
