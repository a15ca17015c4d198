/** Hosts die without a word: their rooms go on elsewhere from the last checkpoint, with the same players. */
import type { MigrateEvent } from "@centroid/sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type RecordedPlayer, RecordedSystem } from "../history/recorded-system.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

let live: LiveSystem;
let recorded: RecordedSystem;
beforeEach(async () => {
  recorded = await RecordedSystem.start();
  live = await LiveSystem.start({ lostAfterMs: 1_500, heartbeatIntervalMs: 300 });
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
  await recorded[Symbol.asyncDispose]();
});

const join = async (label: string, roomId?: string): Promise<RecordedPlayer> => {
  const client = await live.player(label, "frankfurt");
  const joined =
    roomId === undefined
      ? client.create<LedgerState>("ledger", recorded.options)
      : client.joinById<LedgerState>(roomId);
  const room = await live.within(`${label} in the room`, joined);
  const player = recorded.player(room as LedgerRoom);
  player.talk(10);
  return player;
};
/** The room is played, and everybody saved with it: who came just before a death has to join again. */
const underWay = (player: RecordedPlayer): Promise<void> =>
  expect
    .poll(() => player.heard > 150 && recorded.players.every(({ acknowledged }) => acknowledged > 0))
    .toBe(true);
/** Signals a whole host, or what a filter leaves of it, and has it in the history. */
const signal = (hostId: string, name: NodeJS.Signals, pids = pidsOf(hostId)): void => {
  recorded.fault(`${name} to ${hostId}`, pids);
  for (const pid of pids) process.kill(pid, name);
};
const pidsOf = (hostId: string): number[] => descendants(live.agents.get(hostId)!.pid);
/** Everybody stops talking, everything arrives, and the history has nothing wrong in it. */
async function judge(): Promise<void> {
  for (const player of recorded.players) player.quiet();
  await expect.poll(() => recorded.complete).toBe(true);
  expect((await recorded.judge()).printed).toEqual([]);
}

it("a host is killed: its room goes on elsewhere with its players, who notice a pause and lose nothing (FAIL-3)", async () => {
  const player = await join("ada");
  const ada = player.room;
  const bob = (await join("bob", ada.roomId)).room;
  const left: number[] = [];
  for (const room of [ada, bob]) room.onDrop((code) => left.push(code));
  await underWay(player);
  const moved = Promise.all(
    [ada, bob].map((room) => new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve))),
  );
  const { hostId } = ada.host;
  signal(hostId, "SIGKILL");
  for (const event of await live.within("both players where the room is restored", moved))
    expect(event).toMatchObject({ restored: true, lost: 0, duplicated: 0 });
  expect(ada.host.hostId).not.toBe(hostId);
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
  expect(await live.within("bob where the room was moved to", again)).toMatchObject({
    restored: false,
    lost: 0,
  });
  await judge();
  await Promise.all(recorded.players.map((player) => player.leave()));
});

it("a host stands still: its room goes on elsewhere, and what it still has when it wakes up is let go of (FAIL-3, OWN-6)", async () => {
  const player = await join("ada");
  const ada = player.room;
  await underWay(player);
  const { hostId } = ada.host;
  const processes = pidsOf(hostId);
  expect(processes.length).toBeGreaterThan(1);
  const moved = new Promise<MigrateEvent>((resolve) => void ada.onMigrate(resolve));
  signal(hostId, "SIGSTOP", processes);
  expect(await live.within("the player where the room is restored", moved)).toMatchObject({
    restored: true,
    lost: 0,
  });
  const from = live.events.length;
  for (const pid of processes) process.kill(pid, "SIGCONT");
  await live.event(
    (event) =>
      event.type === "host" && event.host.hostId === hostId && event.host.state === "active"
        ? true
        : undefined,
    from,
  );
  await judge();
  const [room, ...others] = await live.rooms();
  expect(others).toEqual([]);
  expect(room).toMatchObject({ hostId: ada.host.hostId, players: 1, state: "running" });
  expect((await live.hosts()).find((host) => host.hostId === hostId)).toMatchObject({ rooms: 0, players: 0 });
  await player.leave();
});

it("the process of a host's rooms crashes: they are back within moments, with what their players had said", async () => {
  const player = await join("ada");
  const ada = player.room;
  await underWay(player);
  const { hostId } = ada.host;
  const agent = live.agents.get(hostId)!.pid;
  const moved = new Promise<MigrateEvent>((resolve) => void ada.onMigrate(resolve));
  const crashed = pidsOf(hostId).filter((pid) => pid !== agent);
  signal(hostId, "SIGKILL", crashed);
  expect(await live.within("the player where the room is restored", moved)).toMatchObject({
    restored: true,
    lost: 0,
  });
  await judge();
  await player.leave();
});
