/** The main job, end to end on real processes: a room is placed near its players and follows them live. */

import { CentroidClient, type CentroidRoom, type MigrateEvent } from "@centroid/sdk";
import { Client as StockClient } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";

let live: LiveSystem;
beforeAll(async () => {
  live = await LiveSystem.start();
});
afterAll(async () => {
  await live[Symbol.asyncDispose]();
});

const migrated = (room: CentroidRoom<LedgerState>): Promise<MigrateEvent> =>
  new Promise((resolve) => {
    const off = room.onMigrate((event) => {
      off();
      resolve(event);
    });
  });

describe("rooms follow their players", () => {
  it("places a new room by the joiner's measurements, moves it when the player travels, and nothing is lost", async () => {
    const client = await live.player("ada", "tokyo");
    const room = (await client.create<LedgerState>("ledger")) as LedgerRoom;
    expect(room.host.hostId).toBe("tokyo");
    let said = 0;
    const talk = setInterval(() => room.send("say", ++said), 5);
    const from = live.events.length;
    const moved = migrated(room);
    await live.emulator.setSite("ada", "frankfurt");
    const event = await moved;
    expect(event.to.hostId).toBe("frankfurt");
    expect(event).toMatchObject({ lost: 0, duplicated: 0 });
    const receipt = await live.receipt(room.roomId, from);
    expect(receipt).toMatchObject({
      outcome: "completed",
      fromHostId: "tokyo",
      toHostId: "frankfurt",
      messagesLost: 0,
      messagesDuplicated: 0,
    });
    expect(receipt.stateHashAfter).toBe(receipt.stateHashBefore);
    expect(receipt.freezeMs?.clients).toBe(1);
    expect(receipt.phases.map(({ phase }) => phase)).toContain("frozen");
    const near = await new Promise<number>((resolve) => void room.onStats(({ p50Ms }) => resolve(p50Ms)));
    expect(near).toBeLessThan(150);
    clearInterval(talk);
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (room.state.entries.get(room.sessionId)?.count === said) resolve();
      };
      room.onStateChange(check);
      check();
    });
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
    const [decision] = (await live.decisions(room.roomId)).filter(({ verdict }) => verdict === "move");
    expect(decision).toMatchObject({ fromHostId: "tokyo", toHostId: "frankfurt" });
    expect(decision?.candidates.map(({ hostId }) => hostId).sort()).toEqual([
      "frankfurt",
      "tokyo",
      "virginia",
    ]);
    await room.leave();
  });

  it("puts a room of two far players in the middle, not next to whoever came first", async () => {
    const [one, two] = [await live.player("one", "frankfurt"), await live.player("two", "tokyo")];
    const first = (await one.create<LedgerState>("ledger")) as LedgerRoom;
    expect(first.host.hostId).toBe("frankfurt");
    const moved = migrated(first);
    const second = (await two.joinById<LedgerState>(first.roomId)) as LedgerRoom;
    expect((await moved).to.hostId).toBe("virginia");
    await Promise.all([first.leave(), second.leave()]);
  });

  it("moves on an operator's word, and says what is wrong with a bad one", async () => {
    const room = (await (await live.player("op", "virginia")).create<LedgerState>("ledger")) as LedgerRoom;
    expect(await live.post(`/rooms/${room.roomId}/move`, { hostId: "nowhere" })).toMatchObject({
      status: 404,
      body: { error: { code: "HOST_NOT_FOUND" } },
    });
    expect(await live.post("/rooms/none/move", { hostId: "tokyo" })).toMatchObject({ status: 404 });
    expect(
      (await live.post(`/rooms/${room.roomId}/move`, { hostId: "tokyo" }, "wrong-token-wrong")).status,
    ).toBe(401);
    const moved = migrated(room);
    expect(await live.post(`/rooms/${room.roomId}/move`, { hostId: "tokyo" })).toMatchObject({
      status: 200,
      body: { outcome: "completed", reason: "operator", toHostId: "tokyo" },
    });
    await moved;
    await room.leave();
  });

  it("serves a stock Colyseus client, wherever its room goes", async () => {
    const client = new StockClient(live.broker.url);
    const room = await client.create<LedgerState>("ledger");
    room.onMessage("shot", () => undefined);
    const here = (await live.rooms()).find(({ roomId }) => roomId === room.roomId)!.hostId;
    const there = here === "tokyo" ? "frankfurt" : "tokyo";
    expect((await live.post(`/rooms/${room.roomId}/move`, { hostId: there })).status).toBe(200);
    expect(await room.request("echo", "still here")).toBe("still here");
    await room.leave();
  });

  it("empties a draining host, places nothing there, and takes it back", async () => {
    const room = (await (await live.player("dora", "tokyo")).create<LedgerState>("ledger")) as LedgerRoom;
    expect(room.host.hostId).toBe("tokyo");
    const from = live.events.length;
    const moved = migrated(room);
    expect(await live.post("/hosts/tokyo/drain")).toMatchObject({ status: 200, body: { state: "draining" } });
    await moved;
    expect((await live.receipt(room.roomId, from)).reason).toBe("drain");
    expect(await live.post(`/rooms/${room.roomId}/move`, { hostId: "tokyo" })).toMatchObject({
      body: { error: { code: "HOST_NOT_ACTIVE" } },
    });
    const other = (await (await live.player("eve", "tokyo")).create<LedgerState>("ledger")) as LedgerRoom;
    expect(other.host.hostId).not.toBe("tokyo");
    expect(await live.post("/hosts/tokyo/activate")).toMatchObject({ body: { state: "active" } });
    await Promise.all([room.leave(), other.leave()]);
  });
});

describe("whoever joins does not wait for measurements", () => {
  it("gets a new room at once, and the room comes to it within seconds", async () => {
    const asked: string[] = [];
    const fetchFn: typeof fetch = (url, init) => {
      asked.push(`${init?.method} ${new URL(String(url)).pathname}`);
      return fetch(url, init);
    };
    const client = await live.player("hurried", "tokyo", { measureFirst: false, fetchFn });
    const room = (await client.create<LedgerState>("ledger")) as LedgerRoom;
    expect(asked).toEqual(["POST /matchmake/create/ledger"]);
    if (room.host.hostId !== "tokyo") await migrated(room);
    expect(room.host.hostId).toBe("tokyo");
    // The next one from there starts where the first one's room has gone.
    const neighbour = new CentroidClient(live.broker.url, { network: "hurried" });
    const second = await neighbour.create("ledger");
    expect(second.host.hostId).toBe("tokyo");
    await Promise.all([room.leave(), second.leave()]);
    neighbour.dispose();
  });

  it("but for one who could go to rooms in several places: it finds the near one", async () => {
    const rooms = await Promise.all(
      ["virginia", "tokyo"].map(async (city) => (await live.player(`at-${city}`, city)).create("ledger")),
    );
    expect(rooms.map(({ host }) => host.hostId)).toEqual(["virginia", "tokyo"]);
    const client = await live.player("choosy", "tokyo", { measureFirst: false });
    const room = await client.joinOrCreate("ledger");
    expect(room.roomId).toBe(rooms[1]?.roomId);
    await Promise.all([room, ...rooms].map((each) => each.leave()));
  });
});
