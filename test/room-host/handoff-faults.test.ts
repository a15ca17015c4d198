/** Whatever dies in the middle of a hand-off: the room goes on on exactly one host, and nothing said is lost. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  decodeFromDestination,
  decodeFromSource,
  encodeTransfer,
} from "../../infra/room-host/dist/handoff/handoff-wire.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeEach(async () => {
  pair = await PairOfHosts.start();
});
afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

async function settled(room: LedgerRoom, said: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const check = (): void => {
      if ((room.state?.entries?.get(room.sessionId)?.count ?? -1) >= said) resolve();
    };
    room.onStateChange(check);
    check();
  });
  expect(room.state.entries.get(room.sessionId)).toMatchObject({ count: said, last: said, disorder: 0 });
}

async function talker(
  roomId: string,
): Promise<{ room: LedgerRoom; said: () => number; shots: number[]; stop: () => void }> {
  const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
  let said = 0;
  const shots: number[] = [];
  room.onMessage("shot", (shot: number) => shots.push(shot));
  const timer = setInterval(() => room.send("say", ++said), 2);
  return { room, said: () => said, shots, stop: () => clearInterval(timer) };
}
/** Never, if the connection fails or the test is over before. */
const opens = (socket: WebSocket): Promise<unknown> => new Promise((resolve) => socket.once("open", resolve));
const gaps = (shots: number[]): number =>
  shots.filter((shot, i) => i > 0 && shot !== (shots[i - 1] ?? 0) + 1).length;

describe("faults during a hand-off", () => {
  it.each(["preparing", "copying"] as const)(
    "destination killed while %s: rolls back by itself",
    async (phase) => {
      const roomId = await pair.create("ledger", { weights: 3000 });
      const { room, said, shots, stop } = await talker(roomId);
      const moving = pair.move(roomId, { migrationId: "doomed" });
      const outcome = expect(moving).rejects.toMatchObject({ code: "HOST_LOST" });
      if (phase === "copying")
        await pair.heard((t) => t.change.event === "phase" && t.change.phase === "preparing");
      while (pair.carriers.b.pid === undefined) await new Promise(setImmediate);
      process.kill(pair.carriers.b.pid, "SIGSTOP");
      if (phase === "copying") await pair.heard((t) => t.change.event === "phase");
      process.kill(pair.carriers.b.pid, "SIGKILL");
      await outcome;
      stop();
      await settled(room, said());
      expect(gaps(shots)).toBe(0);
      expect(room.host.hostId).toBe("a");
      await room.leave();
    },
  );

  it("destination killed after the freeze: undecided until the broker says so, then goes on without a gap (OWN-4)", async () => {
    const roomId = await pair.create("ledger");
    const { room, said, shots, stop } = await talker(roomId);
    const moving = pair.move(roomId, { migrationId: "doomed" });
    const outcome = expect(moving).rejects.toMatchObject({ code: "HOST_LOST" });
    await pair.heard((t) => t.change.event === "phase" && t.change.phase === "connecting");
    const { pid } = pair.carriers.b;
    if (pid === undefined) throw new Error("no destination");
    process.kill(pid, "SIGSTOP");
    await pair.heard((t) => t.change.event === "phase" && t.change.phase === "frozen");
    process.kill(pid, "SIGKILL");
    await outcome;
    const ask = { roomId, migrationId: "doomed" };
    expect(await pair.carriers.a.handle({ method: "migrationStatus", ...ask })).toMatchObject({
      role: "passive",
    });
    expect(await pair.carriers.a.handle({ method: "abortMigration", ...ask })).toEqual({ aborted: true });
    expect(await pair.carriers.a.handle({ method: "migrationStatus", ...ask })).toMatchObject({
      role: "owner",
    });
    stop();
    await settled(room, said());
    expect(gaps(shots)).toBe(0);
    await room.leave();
  });

  it("source killed before the switch: the destination lets go, the room is reported lost, nobody hangs", async () => {
    const roomId = await pair.create("ledger", { weights: 3000 });
    const { room, stop } = await talker(roomId);
    const left = new Promise((resolve) => room.onLeave(resolve));
    const moving = pair.move(roomId, { migrationId: "orphan" });
    const outcome = expect(moving).rejects.toMatchObject({ code: "HOST_LOST" });
    await pair.heard((t) => t.change.event === "phase" && t.change.phase === "preparing");
    const { pid } = pair.carriers.a;
    if (pid === undefined) throw new Error("no source");
    room.reconnection.enabled = false;
    process.kill(pid, "SIGKILL");
    await outcome;
    await pair.heard((t) => t.hostId === "a" && t.change.event === "lost");
    stop();
    await left;
    const there = async () => (await pair.carriers.b.reports()).map((report) => report.roomId);
    await expect.poll(there, { timeout: 45_000 }).not.toContain(roomId);
  });

  it("source killed right after the switch: players are at the destination and go on (OWN-3)", async () => {
    const roomId = await pair.create("ledger");
    const { room, said, stop } = await talker(roomId);
    const migrated = new Promise((resolve) => void room.onMigrate(resolve));
    await pair.move(roomId);
    process.kill(pair.carriers.a.pid ?? -1, "SIGKILL");
    await migrated;
    stop();
    await settled(room, said());
    expect(room.host.hostId).toBe("b");
    await room.leave();
  });

  it("a state that differs at the destination calls the move off before the switch (STATE-3)", async () => {
    const roomId = await pair.create("ledger");
    const { room, said, shots, stop } = await talker(roomId);
    let target = "";
    pair.via = (address) => {
      target = address;
      return address;
    };
    const forger = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(forger, "listening");
    forger.on("connection", (source, { url }) => {
      const destination = new WebSocket(`ws://${target}${url}`);
      const opened = opens(destination);
      source.on("message", async (data: Buffer) => {
        const message = decodeFromSource(data);
        await opened;
        destination.send(
          encodeTransfer(message.type === "freeze" ? { ...message, stateHash: "another" } : message),
        );
      });
      destination.on("message", (data) => source.send(data));
      destination.on("close", () => source.close());
      source.on("close", () => destination.close());
    });
    const { port } = forger.address() as AddressInfo;
    await expect(
      pair.move(roomId, { migrationId: "forged", transferUrl: `ws://127.0.0.1:${port}/handoff/forged` }),
    ).rejects.toMatchObject({ code: "ROOM_ERROR", message: expect.stringMatching(/state differs/) });
    forger.close();
    stop();
    await settled(room, said());
    expect(gaps(shots)).toBe(0);
    expect(room.host.hostId).toBe("a");
    await room.leave();
  });

  it("a source that is told meanwhile that the room lives elsewhere gives it to nobody (OWN-2)", async () => {
    const roomId = await pair.create("ledger");
    let target = "";
    pair.via = (address) => {
      target = address;
      return address;
    };
    let letOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letOn = resolve;
    });
    const between = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(between, "listening");
    const begun = once(between, "connection");
    between.on("connection", (source, { url }) => {
      const destination = new WebSocket(`ws://${target}${url}`);
      const opened = opens(destination);
      source.on("message", async (data: Buffer) => {
        await opened;
        destination.send(data);
      });
      source.on("close", () => destination.terminate());
      for (const socket of [source, destination]) socket.on("error", () => socket.terminate());
      // It is ready, which the source learns late.
      destination.on("message", async (data: Buffer) => {
        await held;
        source.send(data);
      });
    });
    const { port } = between.address() as AddressInfo;
    const transferUrl = `ws://127.0.0.1:${port}/handoff/late`;
    const moving = pair.move(roomId, { migrationId: "late", transferUrl });
    const answered = expect(moving).rejects.toMatchObject({ code: "MIGRATION_TIMEOUT" });
    await begun;
    await pair.carriers.a.handle({ method: "disposeRoom", roomId, epoch: 7 });
    await answered;
    letOn();
    // Had it gone on, the room would run there by then.
    const there = { method: "abortMigration", roomId, migrationId: "late" } as const;
    expect(await pair.carriers.b.handle(there)).toEqual({ aborted: true });
    for (const client of between.clients) client.terminate();
    between.close();
  });

  it("an aborted move leaves the room and its players as they were", async () => {
    const roomId = await pair.create("ledger", { weights: 5000 });
    const { room, said, shots, stop } = await talker(roomId);
    const moving = pair.move(roomId, { migrationId: "changed-mind" });
    const outcome = expect(moving).rejects.toMatchObject({ code: "MIGRATION_TIMEOUT" });
    await pair.heard((t) => t.change.event === "phase" && t.change.phase === "preparing");
    await pair.carriers.a.handle({ method: "abortMigration", roomId, migrationId: "changed-mind" });
    await outcome;
    stop();
    await settled(room, said());
    expect(gaps(shots)).toBe(0);
    await pair.move(roomId);
    await room.leave();
  });

  it("a player whose old connection breaks in the middle gets what it missed", async () => {
    const roomId = await pair.create("ledger");
    const [report] = await pair.carriers.a.reports();
    await using proxy = await CuttableProxy.start(() => report!.address);
    pair.via = (address, hostId) => (hostId === "a" ? proxy.address : address);
    const { room, said, shots, stop } = await talker(roomId);
    const migrated = new Promise<{ lost: number }>((resolve) => void room.onMigrate(resolve));
    room.onMoving(() => proxy.cut());
    await pair.move(roomId);
    expect((await migrated).lost).toBe(0);
    stop();
    await settled(room, said());
    expect(gaps(shots)).toBe(0);
    await room.leave();
  });
});

describe("a source that dies before it has answered what a player missed", () => {
  it("has that counted as lost; the player goes on at once (MSG-7)", async () => {
    const roomId = await pair.create("ledger");
    const [report] = await pair.carriers.a.reports();
    await using proxy = await CuttableProxy.start(() => report!.address);
    let target = "";
    pair.via = (address, hostId) => {
      if (hostId === "a") return proxy.address;
      target = address;
      return address;
    };
    const between = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(between, "listening");
    between.on("connection", (source, { url }) => {
      const destination = new WebSocket(`ws://${target}${url}`);
      const opened = opens(destination);
      source.on("message", async (data: Buffer) => {
        await opened;
        destination.send(data);
      });
      destination.on("message", (data: Buffer) => {
        if (decodeFromDestination(data).type !== "replay") return source.send(data);
        process.kill(pair.carriers.a.pid ?? -1, "SIGKILL");
        destination.close();
      });
      destination.on("close", () => source.close());
    });
    const { room, said, stop } = await talker(roomId);
    const migrated = new Promise((resolve) => void room.onMigrate(resolve));
    room.onMoving(() => proxy.cut());
    const { port } = between.address() as AddressInfo;
    const transferUrl = `ws://127.0.0.1:${port}/handoff/quiet`;
    const moving = pair.move(roomId, { migrationId: "quiet", transferUrl }).catch(() => undefined);
    // Without an answer it would wait for 10 s, and find that its seat has just been given up.
    const left = new Promise((resolve) => room.onLeave(resolve));
    expect(await Promise.race([migrated, left])).toMatchObject({ to: { hostId: "b" } });
    await moving;
    between.close();
    stop();
    await settled(room, said());
    expect(room.host.hostId).toBe("b");
    await room.leave();
  });
});

describe("strangers at the door", () => {
  const reasonOf = (url: string, first?: Uint8Array): Promise<number> =>
    new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.on("open", () => first && socket.send(first));
      socket.on("close", resolve);
      socket.on("error", () => undefined);
    });

  it("wrong tickets, forged control frames and oversized frames cost only the sender its connection (MSG-2)", async () => {
    const roomId = await pair.create("ledger");
    const { room, said, stop } = await talker(roomId);
    const [report] = await pair.carriers.a.reports();
    const base = `ws://${report!.address}`;
    expect(await reasonOf(`${base}/handoff/none?ticket=x`)).toBe(4014);
    expect(await reasonOf(`${base}/p/${roomId}?sessionId=${room.sessionId}&ticket=stolen`)).toBe(4010);
    expect(await reasonOf(`${base}/p/elsewhere?sessionId=x`)).toBe(4010);
    expect(await reasonOf(`${base}/p/${roomId}`)).toBe(4014);
    const seat = await seated(roomId);
    expect(await reasonOf(`${seat}&centroid=1`, Buffer.from([0xff, 0xc1, 0xc1]))).toBe(4012);
    expect(await reasonOf(await seated(roomId), Buffer.alloc(70_000, 1))).toBe(1009);
    stop();
    await settled(room, said());
    await room.leave();
  });

  async function seated(roomId: string): Promise<string> {
    const sessionId = `x${Math.floor(performance.now() * 1000)}`;
    const { processId, address } = await pair.carriers.a.handle({
      method: "reserveSeat",
      roomId,
      sessionId,
      playerId: sessionId,
      options: {},
    });
    return `ws://${address}/${processId}/${roomId}?sessionId=${sessionId}`;
  }

  it("a destination that accepts connections but says nothing runs into the deadline", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const roomId = await pair.create("ledger");
    const { room, said, stop } = await talker(roomId);
    await expect(
      pair.move(roomId, { deadlineMs: 300, transferUrl: `ws://127.0.0.1:${port}/handoff/x` }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/MIGRATION_TIMEOUT|HOST_LOST/) });
    silent.close();
    stop();
    await settled(room, said());
    await room.leave();
  });
});

describe("any order of events", () => {
  it("join, leave, say and move interleaved at random: one owner, everything said exactly once, equal states (OWN-1, MSG-5)", async () => {
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.constant("say" as const) },
      { weight: 2, arbitrary: fc.constant("join" as const) },
      { weight: 1, arbitrary: fc.constant("leave" as const) },
      { weight: 2, arbitrary: fc.constant("move" as const) },
      { weight: 1, arbitrary: fc.constant("abort" as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 4, maxLength: 16 }), async (events) => {
        const roomId = await pair.create("ledger");
        const keeper = await talker(roomId);
        const others: { room: LedgerRoom; said: number }[] = [];
        let moving: Promise<unknown> = Promise.resolve();
        let migrations = 0;
        for (const what of events) {
          switch (what) {
            case "say":
              for (const other of others) other.room.send("say", ++other.said);
              break;
            case "join": {
              await moving;
              others.push({
                room: (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom,
                said: 0,
              });
              break;
            }
            case "leave":
              void others.pop()?.room.leave();
              break;
            case "move":
              await moving;
              moving = pair.move(roomId, { migrationId: `p${++migrations}` }).catch(() => undefined);
              break;
            case "abort": {
              const { hostId } = pair.owner.get(roomId)!;
              void pair.carriers[hostId]
                .handle({ method: "abortMigration", roomId, migrationId: `p${migrations}` })
                .catch(() => undefined);
              break;
            }
          }
        }
        await moving;
        keeper.stop();
        await settled(keeper.room, keeper.said());
        for (const other of others) if (other.said > 0) await settled(other.room, other.said);
        expect(gaps(keeper.shots)).toBe(0);
        const owners = (await Promise.all([pair.carriers.a.reports(), pair.carriers.b.reports()]))
          .flat()
          .filter((report) => report.roomId === roomId && !report.passive);
        expect(owners).toHaveLength(1);
        await Promise.all([keeper.room.leave(), ...others.map(({ room }) => room.leave())]);
      }),
      { numRuns: 25 },
    );
  });
});
