/** A room moves between two real processes while real clients play: nothing lost, doubled or reordered. */

import type { MigrateEvent } from "@centroid/sdk";
import { Client as StockClient } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start();
});
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
});

const until = (room: LedgerRoom, matches: (state: LedgerState) => boolean): Promise<void> =>
  new Promise((resolve) => {
    // A join may be answered before the first state is in.
    const check = (): boolean => room.state?.entries !== undefined && matches(room.state);
    if (check()) resolve();
    else {
      const listener = (): void => {
        if (!check()) return;
        room.onStateChange.remove(listener);
        resolve();
      };
      room.onStateChange(listener);
    }
  });
const migrated = (room: LedgerRoom): Promise<MigrateEvent> =>
  new Promise((resolve) => void room.onMigrate(resolve));

/** A player that numbers what it says and checks what it hears. */
function player(room: LedgerRoom): { said: number; heard: number[]; say(): void } {
  const self = {
    said: 0,
    heard: [] as number[],
    say: () => room.send("say", ++self.said),
  };
  room.onMessage("shot", (shot: number) => self.heard.push(shot));
  return self;
}
const contiguous = (numbers: number[]): boolean =>
  numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1);

describe("hand-off", () => {
  it("moves a room with its players, messages in both directions exactly once and in order (MSG-1)", async () => {
    const roomId = await pair.create("ledger");
    const rooms = (await Promise.all(
      Array.from({ length: 5 }, () => pair.client().joinById<LedgerState>(roomId)),
    )) as LedgerRoom[];
    const players = rooms.map(player);
    const chatter = setInterval(() => {
      for (const p of players) p.say();
    }, 3);
    for (let move = 0; move < 4; move++) {
      const all = Promise.all(rooms.map(migrated));
      const transfer = await pair.move(roomId);
      expect(transfer.stateHashAfter).toBe(transfer.stateHashBefore);
      for (const event of await all) expect(event).toMatchObject({ lost: 0, duplicated: 0 });
    }
    clearInterval(chatter);
    const saidBy = new Map(rooms.map((room, i) => [room.sessionId, players[i]!.said]));
    await Promise.all(
      rooms.map((room) =>
        until(room, ({ entries }) => [...saidBy].every(([id, said]) => entries.get(id)?.count === said)),
      ),
    );
    const { state } = await pair.inspect(roomId);
    for (const room of rooms) {
      expect(room.state.entries.get(room.sessionId)).toMatchObject({
        disorder: 0,
        last: saidBy.get(room.sessionId),
      });
      expect((state.entries as Record<string, unknown>)[room.sessionId]).toMatchObject({ disorder: 0 });
    }
    for (const { heard } of players) {
      expect(heard.length).toBeGreaterThan(10);
      expect(contiguous(heard)).toBe(true);
    }
    // With @pm2/io installed Colyseus sends a process manager's messages over the same channel.
    expect(pair.notices).toEqual([]);
    await Promise.all(rooms.map((room) => room.leave()));
  });

  it("moves a room in which more changes in a tick than waits for the freeze", async () => {
    const roomId = await pair.create("ledger", { crowd: 300 });
    const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    await until(room, ({ entries }) => entries.size === 301);
    for (let move = 0; move < 3; move++) {
      const moved = migrated(room);
      const transfer = await pair.move(roomId);
      expect(transfer.stateHashAfter).toBe(transfer.stateHashBefore);
      expect(transfer.rounds).toBeGreaterThan(1);
      await moved;
    }
    const { tick } = room.state;
    await until(room, (state) => state.tick > tick + 3);
    expect(room.state.entries.size).toBe(301);
    await room.leave();
  });

  it("keeps object identity, timers, user data and reconnection tokens", async () => {
    const roomId = await pair.create("ledger", { weights: 100 });
    const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    await until(room, ({ tick }) => tick > 0);
    const { state } = room;
    const mine = state.entries.get(room.sessionId);
    await room.request("userData", { since: new Map([["x", 1]]) });
    room.send("later", "set by a timer that moved");
    await room.request("echo", 1);
    const moved = migrated(room);
    await pair.move(roomId);
    const event = await moved;
    expect(event.from.hostId).toBe("a");
    expect(event.to.hostId).toBe("b");
    expect(room.host.hostId).toBe("b");
    expect(room.state).toBe(state);
    expect(room.state.entries.get(room.sessionId)).toBe(mine);
    await until(room, ({ label }) => label === "set by a timer that moved");
    expect(await room.request("whoami")).toEqual({ since: { x: 1 } });
    const fired = state.fired;
    await until(room, (now) => now.fired > fired + 1);
    const token = room.reconnectionToken;
    room.reconnection.enabled = false;
    room.connection.close(4009);
    const again = (await pair.client().reconnect<LedgerState>(token)) as LedgerRoom;
    expect(again.sessionId).toBe(room.sessionId);
    await until(again, ({ weights }) => weights?.length === 100);
    expect(again.state.weights[1]).toBeCloseTo(1 / 3);
    await again.leave();
  });

  it("lets players join and leave in the middle of a move", async () => {
    const roomId = await pair.create("ledger");
    const stays = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    const leaves = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    const moved = migrated(stays);
    const moving = pair.move(roomId);
    const late = pair.client().joinById<LedgerState>(roomId) as Promise<LedgerRoom>;
    void leaves.leave();
    const outcome = await Promise.allSettled([moving, late]);
    expect(outcome[0]).toMatchObject({ status: "fulfilled" });
    await moved;
    const joined =
      outcome[1]?.status === "fulfilled"
        ? outcome[1].value
        : ((await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom);
    await until(joined, ({ entries }) => entries.has(stays.sessionId) && entries.has(joined.sessionId));
    await until(stays, ({ entries }) => entries.size === 2);
    await Promise.all([stays.leave(), joined.leave()]);
  });

  it("rolls back when onThaw throws: the room goes on where it was and nothing is lost (OWN-3)", async () => {
    const roomId = await pair.create("ledger", { failThaw: true });
    const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    const me = player(room);
    const chatter = setInterval(me.say, 2);
    await expect(pair.move(roomId)).rejects.toMatchObject({
      code: "ROOM_ERROR",
      message: expect.stringContaining("onThaw"),
    });
    clearInterval(chatter);
    await until(room, ({ entries }) => entries.get(room.sessionId)?.count === me.said);
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
    expect(contiguous(me.heard)).toBe(true);
    expect(room.host.hostId).toBe("a");
    expect((await pair.carriers.b.reports()).map((r) => r.roomId)).not.toContain(roomId);
    await room.leave();
  });

  it("moves without a player who cannot reach the destination in time, and takes it in when it can", async () => {
    const roomId = await pair.create("ledger");
    const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
    const left = new Promise<number>((resolve) => room.onLeave(resolve));
    // Nobody listens on this port: the client keeps its seat until the grace is over.
    await pair.move(roomId, { addresses: { "": "127.0.0.1:9" } });
    await expect.poll(() => pair.owner.get(roomId)?.hostId).toBe("b");
    room.reconnection.enabled = false;
    await left;
  });

  it("forwards a stock Colyseus client, which knows nothing of moves (MSG-1)", async () => {
    const roomId = await pair.create("ledger");
    const room = await new StockClient(pair.url).joinById<LedgerState>(roomId);
    const shots: number[] = [];
    room.onMessage("shot", (shot: number) => shots.push(shot));
    let said = 0;
    const chatter = setInterval(() => room.send("say", ++said), 5);
    await pair.move(roomId);
    await until(
      room as unknown as LedgerRoom,
      ({ entries }) => (entries.get(room.sessionId)?.count ?? 0) > 50,
    );
    clearInterval(chatter);
    await until(room as unknown as LedgerRoom, ({ entries }) => entries.get(room.sessionId)?.count === said);
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
    expect(contiguous(shots)).toBe(true);
    await room.leave();
  });

  it("refuses a second move of a moving room, and a move of an unknown room", async () => {
    const roomId = await pair.create("ledger");
    const room = await pair.client().joinById(roomId);
    const first = pair.move(roomId);
    await pair.heard((t) => t.roomId === roomId && t.change.event === "phase");
    const again = (id: string) =>
      pair.carriers.a.handle({
        method: "migrateOut",
        migrationId: "other",
        roomId: id,
        mechanism: "handoff",
        epoch: 9,
        destination: {
          hostId: "b",
          name: "B",
          latitude: 0,
          longitude: 0,
          processId: "x",
          transferUrl: "ws://127.0.0.1:9",
          ticket: "t",
          addresses: {},
        },
        deadlineMs: 1000,
      });
    await expect(again("nowhere")).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
    await expect(again(roomId)).rejects.toMatchObject({ code: "ROOM_MOVING" });
    await first;
    await room.leave();
  });
});
