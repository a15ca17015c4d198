/** Where a player looks for a room whose host has gone or fallen silent. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { CLOSE_REFUSED } from "@centroid/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { Recovery } from "../../client/sdk/dist/recovery.js";

describe("recovery", () => {
  let server: WebSocketServer;
  /** Paths that were dialled, in order. */
  let dialled: string[];
  let givenUp: number;

  beforeEach(async () => {
    server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    dialled = [];
    givenUp = 0;
    server.on("connection", (socket: WebSocket, request) => {
      const path = new URL(request.url ?? "", "http://localhost").pathname;
      dialled.push(path);
      if (path === "/2") socket.close(CLOSE_REFUSED, "there is nothing to come back to");
    });
  });
  afterEach(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });

  /** The broker says epoch 2 until that was dialled, and epoch 3 some questions later. */
  function look(newerThan?: number): Recovery {
    const { port } = server.address() as AddressInfo;
    let questions = 0;
    return new Recovery({
      reconnectionToken: "token",
      ...(newerThan !== undefined && { newerThan }),
      locate: async () => {
        if (dialled.includes("/2")) questions++;
        const epoch = questions < 3 ? 2 : 3;
        return {
          url: `ws://127.0.0.1:${port}/${epoch}`,
          epoch,
          host: { hostId: "h", name: "h", latitude: 0, longitude: 0 },
        };
      },
      onResumed: () => undefined,
      onGivenUp: () => givenUp++,
      onEnded: () => undefined,
    });
  }

  it("goes on looking when a machine that has moved and fallen silent refuses, and asks it but once", async () => {
    const recovery = look(1);
    await expect.poll(() => dialled).toEqual(["/2", "/3"]);
    expect(givenUp).toBe(0);
    recovery.cancel();
  });

  it("gives up when the connection broke and the room where it was does not wait for it", async () => {
    look();
    await expect.poll(() => givenUp).toBe(1);
    expect(dialled).toEqual(["/2"]);
  });
});
