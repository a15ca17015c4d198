/** A client that says something in one packet with its request, without waiting to be let in. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setImmediate as nextLoop } from "node:timers/promises";
import { expect, it } from "vitest";
import { PlayerSocket } from "../../infra/gateway/dist/sessions/player-socket.js";
import { TurnEnd } from "../../infra/gateway/dist/sessions/turn-end.js";
import { closeServer } from "../support/close-server.js";

/** One masked binary frame with "hi". */
const SAID = Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0x68, 0x69]);

it("is heard once its session is there, and not while that is made", async () => {
  const heard: { data: string; made: boolean }[] = [];
  const server = createServer();
  server.on("upgrade", async (_request, stream, head) => {
    // As while the room is looked up.
    await nextLoop();
    let made = false;
    new PlayerSocket(stream, head, new TurnEnd(queueMicrotask), {
      frame: (data) => void heard.push({ data: data.toString(), made }),
      ...{ slow: () => undefined, measured: () => undefined, closed: () => undefined },
    });
    made = true;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const request = "GET /p/r HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  socket.write(Buffer.concat([Buffer.from(request), SAID]));
  await expect.poll(() => heard.length, { timeout: 30_000 }).toBe(1);
  socket.write(SAID);
  await expect.poll(() => heard.length, { timeout: 30_000 }).toBe(2);
  expect(heard).toEqual([
    { data: "hi", made: true },
    { data: "hi", made: true },
  ]);
  socket.destroy();
  await closeServer(server);
});
