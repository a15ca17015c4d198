/** Hosts die without a word: their rooms go on elsewhere from the last checkpoint, with the same players. */
import type { MigrateEvent } from "@centroid/sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

let live: LiveSystem;
beforeEach(async () => {
  live = await LiveSystem.start({ lostAfterMs: 1_500, heartbeatIntervalMs: 300 });
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
});

const count = (room: LedgerRoom, sessionId = room.sessionId): number =>
  room.state.entries.get(sessionId)?.count ?? 0;

it("a host is killed: its room goes on elsewhere with its players, who notice a pause and lose nothing", async () => {
  const ada = (await (await live.player("ada", "frankfurt")).create<LedgerState>("ledger")) as LedgerRoom;
  const bob = (await (await live.player("bob", "frankfurt")).joinById<LedgerState>(ada.roomId)) as LedgerRoom;
  const left: number[] = [];
  for (const room of [ada, bob]) {
    room.onLeave((code) => left.push(code));
    room.onDrop((code) => left.push(code));
  }
  let said = 0;
  const talk = setInterval(() => {
    said++;
    ada.send("say", said);
    bob.send("say", said);
  }, 10);
  await expect.poll(() => count(ada) > 150, { timeout: 20_000 }).toBe(true);
  const sessions = [ada.sessionId, bob.sessionId];
  const moved = Promise.all(
    [ada, bob].map((room) => new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve))),
  );
  const { hostId } = ada.host;
  live.agents.get(hostId)!.kill("SIGKILL");
  for (const event of await moved) expect(event).toMatchObject({ restored: true, lost: 0, duplicated: 0 });
  expect(ada.host.hostId).not.toBe(hostId);
  clearInterval(talk);
  await expect.poll(() => sessions.map((id) => count(ada, id)), { timeout: 20_000 }).toEqual([said, said]);
  await expect.poll(() => sessions.map((id) => count(bob, id))).toEqual([said, said]);
  expect([...ada.state.entries.values()].map(({ disorder }) => disorder)).toEqual([0, 0]);
  expect([ada.sessionId, bob.sessionId]).toEqual(sessions);
  expect(left).toEqual([]);
  const receipt = await live.receipt(ada.roomId);
  expect(receipt).toMatchObject({
    mechanism: "restore",
    reason: "host-lost",
    outcome: "completed",
    fromHostId: hostId,
    messagesLost: 0,
    freezeMs: { clients: 2 },
  });
  expect(receipt.checkpointAgeMs).toBeLessThan(10_000);
  const [room] = await live.rooms();
  expect(room).toMatchObject({ hostId: ada.host.hostId, players: 2, state: "running" });
  // It is an ordinary room again: it moves.
  const next = (await live.hosts()).find((host) => host.state === "active" && host.hostId !== room!.hostId)!;
  const again = new Promise<MigrateEvent>((resolve) => void bob.onMigrate(resolve));
  expect(await live.post(`/rooms/${ada.roomId}/move`, { hostId: next.hostId })).toMatchObject({
    status: 200,
  });
  expect(await again).toMatchObject({ restored: false, lost: 0 });
  await Promise.all([ada.leave(), bob.leave()]);
});

it("a host stands still: its room goes on elsewhere, and what it still has when it wakes up is let go of", async () => {
  const ada = (await (await live.player("ada", "frankfurt")).create<LedgerState>("ledger")) as LedgerRoom;
  let said = 0;
  const talk = setInterval(() => ada.send("say", ++said), 10);
  await expect.poll(() => count(ada) > 150, { timeout: 20_000 }).toBe(true);
  const { hostId } = ada.host;
  const processes = descendants(live.agents.get(hostId)!.pid);
  expect(processes.length).toBeGreaterThan(1);
  const moved = new Promise<MigrateEvent>((resolve) => void ada.onMigrate(resolve));
  for (const pid of processes) process.kill(pid, "SIGSTOP");
  expect(await moved).toMatchObject({ restored: true, lost: 0 });
  const from = live.events.length;
  for (const pid of processes) process.kill(pid, "SIGCONT");
  await live.event(
    (event) =>
      event.type === "host" && event.host.hostId === hostId && event.host.state === "active"
        ? true
        : undefined,
    from,
  );
  clearInterval(talk);
  await expect.poll(() => count(ada), { timeout: 20_000 }).toBe(said);
  expect(ada.state.entries.get(ada.sessionId)?.disorder).toBe(0);
  const [room, ...others] = await live.rooms();
  expect(others).toEqual([]);
  expect(room).toMatchObject({ hostId: ada.host.hostId, players: 1, state: "running" });
  expect((await live.hosts()).find((host) => host.hostId === hostId)).toMatchObject({ rooms: 0, players: 0 });
  await ada.leave();
});

it("the process of a host's rooms crashes: they are back within moments, with what their players had said", async () => {
  const ada = (await (await live.player("ada", "frankfurt")).create<LedgerState>("ledger")) as LedgerRoom;
  let said = 0;
  const talk = setInterval(() => ada.send("say", ++said), 10);
  await expect.poll(() => count(ada) > 150, { timeout: 20_000 }).toBe(true);
  const agent = live.agents.get(ada.host.hostId)!.pid;
  const moved = new Promise<MigrateEvent>((resolve) => void ada.onMigrate(resolve));
  for (const pid of descendants(agent)) if (pid !== agent) process.kill(pid, "SIGKILL");
  expect(await moved).toMatchObject({ restored: true, lost: 0 });
  clearInterval(talk);
  await expect.poll(() => count(ada), { timeout: 20_000 }).toBe(said);
  expect(ada.state.entries.get(ada.sessionId)?.disorder).toBe(0);
  await ada.leave();
});
