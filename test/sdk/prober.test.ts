/** The SDK's measurements against real beacons: what is counted, and which connections stay open. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { Prober } from "../../client/sdk/src/prober.js";
import { startBeacon } from "../../infra/agent/src/beacon.js";
import { closeServer } from "../support/close-server.js";

const owned: (AsyncDisposable | Disposable)[] = [];
afterEach(async () => {
  for (const one of owned.splice(0).reverse()) {
    if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
    else one[Symbol.dispose]();
  }
});

async function beacon(): Promise<{ hostId: string; url: string; connections: () => number }> {
  let connections = 0;
  const started = await startBeacon(
    "127.0.0.1",
    0,
    () => connections++,
    () => undefined,
  );
  owned.push(started);
  return { hostId: "h", url: `ws://127.0.0.1:${started.port}/beacon`, connections: () => connections };
}

function prober(): Prober {
  const made = new Prober();
  owned.push(made);
  return made;
}

/** A beacon that answers as told. */
type Answer = "answer" | "silence" | "cut";
async function oddBeacon(answer: (wss: WebSocketServer, echo: number) => Answer | Promise<Answer>) {
  const server: Server = createServer();
  const wss = new WebSocketServer({ server });
  let echoes = 0;
  let connections = 0;
  wss.on("connection", (socket) => {
    connections++;
    socket.on("message", async (data) => {
      const what = await answer(wss, echoes++);
      if (what === "answer") socket.send(data);
      else if (what === "cut") socket.terminate();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  owned.push({
    async [Symbol.asyncDispose]() {
      for (const client of wss.clients) client.terminate();
      await closeServer(server);
    },
  });
  const { port } = server.address() as AddressInfo;
  return { hostId: "odd", url: `ws://127.0.0.1:${port}/`, connections: () => connections };
}

describe("measuring hosts", () => {
  it("keeps the connection from round to round", async () => {
    const host = await beacon();
    const measuring = prober();
    for (let round = 0; round < 5; round++) {
      const [report] = await measuring.measure([host]);
      expect(report).toMatchObject({ hostId: "h", lost: 0 });
      expect(report?.rttsMs).toHaveLength(3);
    }
    expect(host.connections()).toBe(1);
  });

  it("keeps that to the player's own host while rounds are half a minute apart, and no other", async () => {
    const [own, other] = [await beacon(), { ...(await beacon()), hostId: "other" }];
    const measuring = prober();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      for (let round = 0; round < 3; round++) {
        expect(await measuring.measure([own, other], "h")).toMatchObject([{ lost: 0 }, { lost: 0 }]);
        vi.advanceTimersByTime(31_000);
      }
      expect([own.connections(), other.connections()]).toEqual([1, 3]);
      vi.advanceTimersByTime(31_000);
      await measuring.measure([own], "h");
      expect(own.connections()).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it("shares it between rounds that overlap, each with its own answers", async () => {
    const host = await beacon();
    const measuring = prober();
    const rounds = await Promise.all(Array.from({ length: 4 }, () => measuring.measure([host])));
    for (const [report] of rounds) expect(report?.rttsMs).toHaveLength(3);
    expect(host.connections()).toBe(1);
  });

  it("does not count the first echo of a connection", async () => {
    let echoes = 0;
    const host = await oddBeacon(() => {
      echoes++;
      return "answer";
    });
    const measuring = prober();
    await measuring.measure([host]);
    expect(echoes).toBe(4);
    await measuring.measure([host]);
    expect(echoes).toBe(7);
  });

  it("dials again in the same round when the kept connection is dead, and reports no loss", async () => {
    const host = await oddBeacon((_wss, echo) => (echo === 4 ? "cut" : "answer"));
    const measuring = prober();
    await measuring.measure([host]);
    const [report] = await measuring.measure([host]);
    expect(report).toMatchObject({ lost: 0 });
    expect(report?.rttsMs).toHaveLength(3);
    expect(host.connections()).toBe(2);
  });

  it("counts an unanswered echo as lost and does not trust that connection any more", async () => {
    const host = await oddBeacon((_wss, echo) => (echo === 2 ? "silence" : "answer"));
    const measuring = prober();
    expect(await measuring.measure([host])).toMatchObject([{ lost: 1 }]);
    expect(await measuring.measure([host])).toMatchObject([{ lost: 0 }]);
    expect(host.connections()).toBe(2);
  });

  it("reports a host that cannot be reached as lost, and the others as they are", async () => {
    const host = await beacon();
    const reports = await prober().measure([host, { hostId: "gone", url: "ws://127.0.0.1:9/" }]);
    expect(reports).toMatchObject([
      { hostId: "h", lost: 0 },
      { hostId: "gone", lost: 3, rttsMs: [] },
    ]);
  });

  it("does not let somebody who waits wait for a host that is silent, or slow", async () => {
    let slowAnswered = (): void => undefined;
    const heard = new Promise<void>((resolve) => {
      slowAnswered = resolve;
    });
    const slow = await oddBeacon((_wss, echo) => {
      if (echo === 2) slowAnswered();
      return echo < 2 ? "answer" : "silence";
    });
    const silent = await oddBeacon(() => "silence");
    const near = await Promise.all([0, 1, 2].map(() => oddBeacon(() => heard.then(() => "answer" as const))));
    const measuring = prober();
    const all = [silent, slow, ...near.map((host, i) => ({ ...host, hostId: `near${i}` }))];
    const reports = await measuring.measureSoon(all);
    expect(reports.map(({ hostId }) => hostId).sort()).toEqual(["near0", "near1", "near2", "odd"]);
    // What was heard of the slow one counts; that it is slow does not yet.
    expect(reports.find(({ hostId }) => hostId === "odd")).toMatchObject({ lost: 0 });
    expect(reports.find(({ hostId }) => hostId === "odd")?.rttsMs).toHaveLength(1);
    // What ends later does not change what was answered.
    measuring[Symbol.dispose]();
    await new Promise((resolve) => setImmediate(resolve));
    expect(reports).toHaveLength(4);
    // Nearest unknown, everyone is waited for.
    const another = prober();
    expect(await another.measureSoon([{ hostId: "gone", url: "ws://127.0.0.1:9/" }])).toMatchObject([
      { lost: 3 },
    ]);
    expect(await another.measureSoon([])).toEqual([]);
  });

  it("ends the round under way when disposed, and dials nobody afterwards", async () => {
    let asked = (): void => undefined;
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const host = await oddBeacon(() => {
      asked();
      return "silence";
    });
    const measuring = prober();
    const round = measuring.measure([host]);
    await reached;
    measuring[Symbol.dispose]();
    expect(await round).toMatchObject([{ lost: 3 }]);
    expect(host.connections()).toBe(1);
  });
});
