/** A session's own connection to a room host that takes no trunks. */
import { once } from "node:events";
import { expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { SessionDialer } from "../../infra/gateway/dist/sessions/session-dialer.js";

/** A player that reads slowly may fall behind while its next connection is being made. */
it("takes nothing in while it is to be slow, also if that was said before it was open", async () => {
  const upgrades: (() => void)[] = [];
  const server = new WebSocketServer({
    ...{ host: "127.0.0.1", port: 0 },
    verifyClient: (_: unknown, done: (ok: boolean) => void) => void upgrades.push(() => done(true)),
  });
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  const dialer = new SessionDialer({ directory: {}, trunks: {} } as never);
  const asker = { address: "127.0.0.1", headers: {}, passed: false };
  const dial = () =>
    dialer.dial("ws://gateway/host/room?sessionId=ann", asker, {
      type: "target",
      address,
      processId: "host",
    } as never);
  try {
    server.on("connection", (player) => {
      for (let index = 0; index < 10; index++) player.send(Buffer.from([index]));
    });
    const frames: number[] = [];
    const slow = dial();
    slow.onmessage = ({ data }) => frames.push(new Uint8Array(data as ArrayBuffer)[0] ?? -1);
    await expect.poll(() => upgrades.length).toBe(1);
    slow.slow = true;
    const opened = new Promise((resolve) => {
      slow.onopen = resolve;
    });
    upgrades.shift()?.();
    await opened;
    // Others that are dialled later have had all theirs.
    for (let others = 0; others < 3; others++) {
      const other = dial();
      const had = new Promise<void>((resolve) => {
        let count = 0;
        other.onmessage = () => ++count === 10 && resolve();
      });
      await expect.poll(() => upgrades.length).toBe(1);
      upgrades.shift()?.();
      await had;
      other.close(1000, "");
    }
    expect(frames).toEqual([]);
    slow.slow = false;
    await expect.poll(() => frames).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    slow.close(1000, "");
  } finally {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});
