/** Frames of a stock client whose room has moved, on their way to a host that takes none of them. */
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { forwardStockClient } from "../../infra/room-host/dist/handoff/forward.js";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";

const FRAME = Buffer.alloc(64 * 1024);

it("are kept up to a limit, past which the connection breaks", async () => {
  const silent = createServer((socket) => socket.on("error", () => undefined));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  let say: (frame: Buffer) => void = () => undefined;
  const closed: number[] = [];
  let end: (code: number) => void = () => undefined;
  const player: ServerSocket = {
    send: () => undefined,
    close: (code) => void closed.push(code),
    onMessage: (listener) => {
      say = listener;
    },
    onClose: (listener) => {
      end = listener;
    },
  };
  forwardStockClient(player, `ws://127.0.0.1:${port}/p/room?sessionId=s`, []);
  for (let frames = 0; frames < 64; frames++) say(FRAME);
  expect(closed).toEqual([]);
  say(FRAME);
  expect(closed).toEqual([1006]);
  end(1006);
  silent.close();
});
