/** Where a player looks for a room whose host has gone or fallen silent. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { CentroidError, CLOSE_REFUSED, type ErrorCode } from "@centroid/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type Located, Recovery } from "../../client/sdk/dist/recovery.js";

const HOST = { hostId: "h", name: "h", latitude: 0, longitude: 0 };

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
      had: () => ({ epoch: 1, received: 1 }),
      reconnectionToken: "token",
      ...(newerThan !== undefined && { newerThan }),
      locate: async () => {
        if (dialled.includes("/2")) questions++;
        const epoch = questions < 3 ? 2 : 3;
        return {
          url: `ws://127.0.0.1:${port}/${epoch}`,
          epoch,
          host: HOST,
          restoring: false,
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

  it.each(["ROOM_CRASHED", "ROOM_LOST"] as const)("ends at once, with the reason, at %s", async (code) => {
    const reason = await new Promise<string>((resolve, reject) => {
      new Recovery({
        had: () => ({ epoch: 1, received: 1 }),
        reconnectionToken: "token",
        locate: () => Promise.reject(new CentroidError(code, "it is over")),
        onResumed: () => reject(new Error("resumed")),
        onGivenUp: () => reject(new Error("given up")),
        onEnded: resolve,
      });
    });
    expect(reason).toBe("it is over");
  });

  it("gives up when the connection broke and the room where it was does not wait for it", async () => {
    look();
    await expect.poll(() => givenUp).toBe(1);
    expect(dialled).toEqual(["/2"]);
  });
});

describe("how long it is looked for a room", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** @returns after which time it was given up, in s */
  async function lookedFor(locate: () => Promise<Located>): Promise<number> {
    let givenUpAtMs = Number.NaN;
    const recovery = new Recovery({
      had: () => ({ epoch: 1, received: 1 }),
      reconnectionToken: "token",
      // Nothing is dialled.
      newerThan: 9,
      locate,
      onResumed: () => undefined,
      onGivenUp: () => {
        givenUpAtMs = performance.now();
      },
      onEnded: () => undefined,
    });
    const startedAtMs = performance.now();
    await vi.advanceTimersByTimeAsync(200_000);
    recovery.cancel();
    return Math.round((givenUpAtMs - startedAtMs) / 1000);
  }
  const failing = (code: ErrorCode) => () => Promise.reject(new CentroidError(code, "not now"));
  const located = (restoring: boolean) => async () => ({ url: "ws://h", epoch: 9, host: HOST, restoring });

  it("is 30 s if it is nowhere, or where it was and does not answer", async () => {
    expect(await lookedFor(failing("ROOM_NOT_FOUND"))).toBe(30);
    expect(await lookedFor(located(false))).toBe(30);
  });

  it("is 30 s more than it takes to restore it or to start brokers again, and two minutes at most", async () => {
    const startedAtMs = performance.now();
    const after50s = () => performance.now() - startedAtMs > 50_000;
    expect(await lookedFor(() => (after50s() ? located(false)() : located(true)()))).toBe(80);
    expect(await lookedFor(located(true))).toBe(120);
    expect(await lookedFor(failing("NO_HOST"))).toBe(120);
  });

  it("asks a broker that has too much to do no more often than that can answer", async () => {
    let asked = 0;
    const slow = async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return located(false)();
    };
    await lookedFor(slow);
    // Every four seconds for thirty.
    expect(asked).toBeLessThan(10);
  });
});
