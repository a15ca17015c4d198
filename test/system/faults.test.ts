/** Parts of the whole die or come back: rooms go on, and only those concerned notice. */
import { createServer } from "node:net";
import type { MigrateEvent } from "@centroid/sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";

let live: LiveSystem;
beforeEach(async () => {
  live = await LiveSystem.start({ lostAfterMs: 1_500, heartbeatIntervalMs: 300 });
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
});

const ticking = (room: LedgerRoom): Promise<void> =>
  new Promise((resolve) => {
    const start = room.state?.tick ?? 0;
    const check = (): void => {
      if ((room.state?.tick ?? 0) > start + 2) resolve();
    };
    room.onStateChange(check);
  });

it("rooms go on while the only broker is away and something else answers at its port (OWN-10)", async () => {
  const client = await live.player("ada", "frankfurt");
  const room = (await client.create<LedgerState>("ledger")) as LedgerRoom;
  const { port } = live.broker;
  const before = await live.rooms();
  await live.stopBroker();
  // As a proxy does whose upstream is away.
  const proxy = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => proxy.listen(port, "127.0.0.1", resolve));
  const from = room.state.tick;
  // Longer than any lease, and than a port that refused could count for. A tick is 50 ms.
  await expect.poll(() => room.state.tick - from, { timeout: 60_000 }).toBeGreaterThan(90);
  await new Promise((resolve) => proxy.close(resolve));
  await live.startBroker(port);
  await live.broker.ready;
  const [now] = await live.rooms();
  expect(now).toMatchObject({ roomId: room.roomId, hostId: "frankfurt", epoch: before[0]?.epoch });
  await ticking(room);
  await room.leave();
});

it("a broker that restarts finds its rooms again; players never notice", async () => {
  const client = await live.player("ada", "frankfurt");
  const room = (await client.create<LedgerState>("ledger")) as LedgerRoom;
  let said = 0;
  const talk = setInterval(() => room.send("say", ++said), 5);
  const { port } = live.broker;
  await live.stopBroker();
  await ticking(room);
  await live.startBroker(port);
  await live.broker.ready;
  const found = await live.rooms();
  expect(found).toMatchObject([{ roomId: room.roomId, hostId: "frankfurt", players: 1 }]);
  await expect.poll(async () => (await live.hosts()).length).toBe(3);
  const moved = new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve));
  expect(await live.post(`/rooms/${room.roomId}/move`, { hostId: "virginia" })).toMatchObject({
    status: 200,
  });
  expect(await moved).toMatchObject({ lost: 0, duplicated: 0 });
  clearInterval(talk);
  await new Promise<void>((resolve) => {
    const check = (): void => {
      if (room.state.entries.get(room.sessionId)?.count === said) resolve();
    };
    room.onStateChange(check);
    check();
  });
  expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
  await room.leave();
});

it("a host that dies is lost; rooms elsewhere go on and new ones go elsewhere; it may come back", async () => {
  const near = (await (await live.player("ada", "frankfurt")).create<LedgerState>("ledger")) as LedgerRoom;
  const far = (await (await live.player("bob", "tokyo")).create<LedgerState>("ledger")) as LedgerRoom;
  expect([near.host.hostId, far.host.hostId]).toEqual(["frankfurt", "tokyo"]);
  far.reconnection.enabled = false;
  // Whether its room was saved before that is a matter of milliseconds.
  const goneOrElsewhere = new Promise<void>((resolve) => {
    far.onLeave(() => resolve());
    far.onMigrate(() => resolve());
  });
  const from = live.events.length;
  live.agents.get("tokyo")?.kill("SIGKILL");
  await goneOrElsewhere;
  await live.event(
    (event) =>
      event.type === "host" && event.host.hostId === "tokyo" && event.host.state === "lost"
        ? true
        : undefined,
    from,
  );
  await ticking(near);
  const again = (await (await live.player("cyd", "tokyo")).create<LedgerState>("ledger")) as LedgerRoom;
  expect(again.host.hostId).not.toBe("tokyo");
  const back = live.events.length;
  await live.startHost(HOSTS.find(({ hostId }) => hostId === "tokyo")!);
  await live.event(
    (event) =>
      event.type === "host" && event.host.hostId === "tokyo" && event.host.state === "active"
        ? true
        : undefined,
    back,
  );
  await Promise.all([near.leave(), again.leave()]);
});

it("a destination host that dies in the middle of a move leaves the room where it was", async () => {
  const room = (await (
    await live.player("ada", "frankfurt")
  ).create<LedgerState>("ledger", { weights: 5_000 })) as LedgerRoom;
  const from = live.events.length;
  const moving = live.post(`/rooms/${room.roomId}/move`, { hostId: "tokyo" });
  await live.event((event) => (event.type === "migration" ? true : undefined), from);
  live.agents.get("tokyo")?.kill("SIGKILL");
  const { body } = await moving;
  const [now] = await live.rooms();
  expect(now).toMatchObject({ roomId: room.roomId, hostId: "frankfurt", state: "running" });
  expect(body).not.toMatchObject({ outcome: "completed" });
  await ticking(room);
  await room.leave();
});

it("tokens, versions and probes that are wrong are refused with a reason and used by nobody", async () => {
  const client = await live.player("ada", "frankfurt");
  const room = await client.create<LedgerState>("ledger");
  const probe = (body: object): Promise<Response> =>
    fetch(`${live.broker.url}/centroid/v1/probes`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const forged = await probe({ playerId: client.playerId, playerToken: "forged", probes: [] });
  expect(forged.status).toBe(401);
  const absurd = await probe({
    playerId: client.playerId,
    playerToken: "x",
    probes: [{ hostId: "tokyo", rttsMs: ["NaN"] }],
  });
  expect(absurd.status).toBe(400);
  const version = await fetch(`${live.broker.url}/matchmake/joinOrCreate/ledger`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ "~centroid": { protocol: 99 } }),
  });
  expect(version.status).toBeGreaterThanOrEqual(400);
  expect(await version.text()).toMatch(/protocol/i);
  await expect(client.create("no-such-room")).rejects.toThrow(/no-such-room|provided room name/i);
  await room.leave();
});
