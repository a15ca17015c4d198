/** The emulator on real sockets: distance, travel, refusals, half-close, integrity, clean end. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { EmulatorControl, startDistanceEmulator } from "@centroid/emulation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  echoServer,
  far,
  near,
  openSocket,
  rawRequest,
  readBytes,
  relayBetween,
  shortestRttMs,
  tcpServer,
  twoSites,
} from "./support.js";

/** Of the shortest of several round trips, on a machine that runs other tests at the same time. */
const TOLERANCE_MS = 8;

describe("distance", () => {
  test("the round trip is the table's, by comparison with distance zero in the same run", async () => {
    await using echo = await echoServer();
    await using emulator = await relayBetween(60);
    const here = await openSocket(emulator.translate(echo.address, "h1", near));
    const there = await openSocket(emulator.translate(echo.address, "h1", far));
    const differenceMs = (await shortestRttMs(there, 25)) - (await shortestRttMs(here, 25));
    expect(Math.abs(differenceMs - 60)).toBeLessThan(TOLERANCE_MS);
    here.terminate();
    there.terminate();
  });

  test("connecting costs two round trips: TCP, then the upgrade", async () => {
    await using echo = await echoServer();
    await using emulator = await relayBetween(100);
    const shortestOpenMs = async (label: string) => {
      let shortest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 8; i++) {
        const started = performance.now();
        const socket = await openSocket(emulator.translate(echo.address, "h1", label));
        shortest = Math.min(shortest, performance.now() - started);
        socket.terminate();
      }
      return shortest;
    };
    const differenceMs = (await shortestOpenMs(far)) - (await shortestOpenMs(near));
    expect(Math.abs(differenceMs - 200)).toBeLessThan(2 * TOLERANCE_MS);
  });

  test("travel changes the round trip of a living connection, over HTTP too", async () => {
    await using echo = await echoServer();
    await using emulator = await relayBetween(80);
    await emulator.setSite("alice", near);
    const socket = await openSocket(emulator.translate(echo.address, "h1", "alice"));
    const before = await shortestRttMs(socket, 20);
    const control = new EmulatorControl(emulator.controlUrl);
    await control.setSite("alice", far);
    const after = await shortestRttMs(socket, 20);
    await control.setSite("alice", near);
    const back = await shortestRttMs(socket, 20);
    expect(Math.abs(after - before - 80)).toBeLessThan(TOLERANCE_MS);
    expect(Math.abs(back - before)).toBeLessThan(TOLERANCE_MS);
    expect((await control.status()).labels).toEqual({ alice: near });
    socket.terminate();
  });

  test("hosts reach each other under their own label", async () => {
    await using echo = await echoServer();
    await using emulator = await startDistanceEmulator({
      rttMs: { a: { a: 0, b: 50 }, b: { a: 50, b: 0 } },
      hosts: [
        { hostId: "h1", siteId: "a" },
        { hostId: "h2", siteId: "b" },
      ],
    });
    const own = await openSocket(emulator.translate(echo.address, "h1", "host:h1"));
    const other = await openSocket(emulator.translate(echo.address, "h1", "host:h2"));
    const differenceMs = (await shortestRttMs(other, 20)) - (await shortestRttMs(own, 20));
    expect(Math.abs(differenceMs - 50)).toBeLessThan(TOLERANCE_MS);
    own.terminate();
    other.terminate();
  });
});

describe("bytes", () => {
  test("arrive whole and in order under any chunking, jitter and travel", async () => {
    await using server = await tcpServer();
    await using emulator = await startDistanceEmulator({ ...twoSites(12), jitterMs: 6 });
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 3000 });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ up: chunk }) },
      { weight: 6, arbitrary: fc.record({ down: chunk }) },
      { weight: 1, arbitrary: fc.record({ travel: fc.constantFrom(near, far) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await emulator.setSite("bob", far);
        const { player, host } = await rawPair(emulator, server, "bob");
        const up = Buffer.concat(steps.flatMap((s) => ("up" in s ? [s.up] : [])));
        const down = Buffer.concat(steps.flatMap((s) => ("down" in s ? [s.down] : [])));
        const received = Promise.all([drain(host), drain(player)]);
        for (const s of steps) {
          if ("travel" in s) await emulator.setSite("bob", s.travel);
          else if ("up" in s) player.write(s.up);
          else host.write(s.down);
        }
        player.end();
        host.end();
        const [gotUp, gotDown] = await received;
        expect(gotUp.equals(up)).toBe(true);
        expect(gotDown.equals(down)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("a half-closed connection still carries the other direction", async () => {
    await using server = await tcpServer();
    await using emulator = await relayBetween(10);
    const { player, host } = await rawPair(emulator, server, far);
    player.end("last words");
    expect((await drain(host)).toString()).toBe("last words");
    host.end("the answer");
    expect((await drain(player)).toString()).toBe("the answer");
  });

  test("a reader that does not read stops the writer, and loses nothing", async () => {
    await using server = await tcpServer();
    await using emulator = await relayBetween(2);
    const { player, host } = await rawPair(emulator, server, far);
    const block = Buffer.alloc(1 << 20, 7);
    // 64 MiB are far more than the emulator and the kernel may hold for a host that reads nothing.
    let taken = 0;
    const writing = (async () => {
      for (let i = 0; i < 64; i++) {
        await new Promise<void>((resolve) => player.write(block, () => resolve()));
        taken += 1;
      }
      player.end();
    })();
    await stable(() => taken);
    expect(taken).toBeLessThan(32);
    expect((await drain(host)).byteLength).toBe(64 << 20);
    await writing;
    host.end();
    await drain(player);
  });

  test("a broken player breaks the host's side, nobody else's", async () => {
    await using server = await tcpServer();
    await using emulator = await relayBetween(10);
    const first = await rawPair(emulator, server, far);
    const second = await rawPair(emulator, server, far);
    first.host.resume();
    const noticed = gone(first.host);
    first.player.resetAndDestroy();
    await noticed;
    second.player.write("still here");
    expect((await readBytes(second.host, 10)).toString()).toBe("still here");
    second.player.destroy();
  });
});

describe("refusals", () => {
  test("each names its reason in one line", async () => {
    await using echo = await echoServer();
    await using emulator = await relayBetween(10);
    emulator.translate(echo.address, "h1", near);
    const port = echo.address.split(":")[1];
    const get = (path: string) => rawRequest(emulator.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await get(`/via/nowhere/h1/${port}/`)).toMatch(/^HTTP\/1.1 404 [\s\S]*label nowhere has no site/);
    expect(await get(`/via/near/h9/${port}/`)).toMatch(/^HTTP\/1.1 502 [\s\S]*unknown host h9/);
    expect(await get("/via/near/h1/1/")).toMatch(/^HTTP\/1.1 502 [\s\S]*port 1 is not an address of host h1/);
    expect(await get("/via/near")).toMatch(/^HTTP\/1.1 400 /);
    expect(await get("/via/%zz/h1/80/")).toMatch(/^HTTP\/1.1 400 /);
    expect(await rawRequest(emulator.port, "\u0000\u0001\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
    expect(await rawRequest(emulator.port, `GET /${"x".repeat(17_000)}`)).toMatch(/^HTTP\/1.1 431 /);
    expect(
      await rawRequest(emulator.port, "GET /else HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    ).toMatch(/^HTTP\/1.1 404 /);
    expect(await get("/via/near/h1/99999/")).toMatch(/^HTTP\/1.1 400 /);
  });

  test("a page that gave this machine a name of its own does not control anything", async () => {
    await using emulator = await relayBetween(0);
    const put = (host: string) =>
      rawRequest(
        emulator.port,
        `PUT /control/labels HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 31\r\nConnection: close\r\n\r\n{"label":"me","siteId":"far" } `,
      );
    expect(await put(`evil.example:${emulator.port}`)).toMatch(/^HTTP\/1.1 403 /);
    expect(await put(`127.0.0.1:${emulator.port}`)).toMatch(/^HTTP\/1.1 200 /);
    expect(
      await rawRequest(
        emulator.port,
        "GET /control HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
      ),
    ).toMatch(/^HTTP\/1.1 403 /);
  });

  test("a registered port where nothing listens any more is a 502", async () => {
    await using emulator = await relayBetween(0);
    const gone = await tcpServer();
    const address = emulator.translate(gone.address, "h1", near);
    await gone[Symbol.asyncDispose]();
    const path = address.slice(address.indexOf("/"));
    expect(await rawRequest(emulator.port, `GET ${path}/ HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 502 [\s\S]*nothing answers/,
    );
  });

  test("control calls are checked", async () => {
    await using emulator = await relayBetween(0);
    const control = new EmulatorControl(emulator.controlUrl);
    await expect(control.setSite("x", "atlantis")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(control.setSite("", near)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(control.addTarget("h9", 80)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const asPage = await fetch(`${emulator.controlUrl}/labels`, { method: "PUT", body: "{}" });
    expect(asPage.status).toBe(400);
  });

  test("a table that lacks a host's site, and a used port, fail with a code", async () => {
    await expect(
      startDistanceEmulator({ rttMs: { a: { a: 0 } }, hosts: [{ hostId: "h", siteId: "b" }] }),
    ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await using emulator = await relayBetween(0);
    await expect(startDistanceEmulator({ ...twoSites(1), port: emulator.port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
  });
});

describe("addresses", () => {
  test("keep their path; addresses elsewhere and players without a label go direct", async () => {
    await using emulator = await relayBetween(0);
    expect(emulator.translate("127.0.0.1:41234/beacon", "h1", "host:h1")).toBe(
      `127.0.0.1:${emulator.port}/via/host%3Ah1/h1/41234/beacon`,
    );
    expect(emulator.translate("127.0.0.1:41234", "h1", undefined)).toBe("127.0.0.1:41234");
    expect(emulator.translate("10.0.0.1:80", "h1", near)).toBe("10.0.0.1:80");
    expect(() => emulator.translate("127.0.0.1:80", "h9", near)).toThrow(/no host h9/);
  });
});

describe("end", () => {
  test("dispose closes every connection and the process; abort does the same", async () => {
    await using server = await tcpServer();
    const emulator = await relayBetween(10);
    const { player, host } = await rawPair(emulator, server, far);
    host.resume();
    player.resume();
    const bothClosed = Promise.all([gone(player), gone(host)]);
    await emulator[Symbol.asyncDispose]();
    await bothClosed;
    await emulator.exited;
    expect(() => process.kill(emulator.pid, 0)).toThrow();
    await expect(rawRequest(emulator.port, "GET / HTTP/1.1\r\n\r\n")).rejects.toThrow(/ECONNREFUSED/);

    const abort = new AbortController();
    const second = await startDistanceEmulator(twoSites(1), abort.signal);
    abort.abort();
    await second.exited;
  });
});

/** A player and a host joined by the emulator, past the request head. */
async function rawPair(
  emulator: Awaited<ReturnType<typeof relayBetween>>,
  server: Awaited<ReturnType<typeof tcpServer>>,
  label: string,
): Promise<{ player: Socket; host: Socket }> {
  const address = emulator.translate(server.address, "h1", label);
  const player = connect({ host: "127.0.0.1", port: emulator.port, allowHalfOpen: true });
  player.on("error", () => undefined);
  const head = "/room?sessionId=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";
  player.write(`GET ${address.slice(address.indexOf("/"))}${head}`);
  const host = await server.accept();
  const expected = `GET ${head}`;
  expect((await readBytes(host, expected.length)).toString()).toBe(expected);
  host.pause();
  return { player, host };
}

/** Settles when the other side is gone, orderly or not. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()).once("end", () => resolve()));
}

/** Everything until the other side's end. */
async function drain(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** Waits until a number has stopped changing for a while. */
async function stable(read: () => number): Promise<void> {
  let last = Number.NaN;
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}
