/** Rooms marked `replicated`: their host is killed and their players notice a blink, not a pause. */

import { MemoryStore } from "@centroid/broker";
import type { MigrateEvent } from "@centroid/sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type RecordedPlayer, RecordedSystem } from "../history/recorded-system.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

/** Silence alone must not be what tells of a host's death. */
const LOST_AFTER_MS = 8_000;

/** Hosts of one continent. */
const RTT = {
  frankfurt: { frankfurt: 4, virginia: 20, tokyo: 30 },
  virginia: { frankfurt: 20, virginia: 4, tokyo: 20 },
  tokyo: { frankfurt: 30, virginia: 20, tokyo: 4 },
};

let live: LiveSystem;
let store: MemoryStore;
let recorded: RecordedSystem;
beforeEach(async () => {
  recorded = await RecordedSystem.start();
  store = new MemoryStore();
  live = await LiveSystem.start(
    { store, lostAfterMs: LOST_AFTER_MS, heartbeatIntervalMs: 300, autoMove: false },
    undefined,
    RTT,
  );
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
  await recorded[Symbol.asyncDispose]();
});

const join = async (label: string, roomId?: string): Promise<RecordedPlayer> => {
  const client = await live.player(label, "frankfurt");
  const room = await (roomId === undefined
    ? client.create<LedgerState>("vault", recorded.options)
    : client.joinById<LedgerState>(roomId));
  return recorded.player(room as LedgerRoom);
};
const moved = (room: LedgerRoom): Promise<MigrateEvent> =>
  new Promise((resolve) => void room.onMigrate(resolve));
const standbyOf = async (room: LedgerRoom): Promise<string | undefined> =>
  (await live.rooms()).find(({ roomId }) => roomId === room.roomId)?.standbyHostId;
const standbyIs = (room: LedgerRoom, not: string | undefined): Promise<unknown> =>
  expect.poll(async () => ![undefined, not].includes(await standbyOf(room))).toBe(true);
const signal = (hostId: string, name: NodeJS.Signals): void => {
  const pids = descendants(live.agents.get(hostId)!.pid);
  recorded.fault(`${name} to ${hostId}`, pids);
  for (const pid of pids) process.kill(pid, name);
};

/** Everybody stops talking, everything arrives, and the history has nothing wrong in it. */
async function judge(): Promise<void> {
  for (const player of recorded.players) player.quiet();
  await expect.poll(() => recorded.complete).toBe(true);
  expect((await recorded.judge()).printed).toEqual([]);
  await Promise.all(recorded.players.map((player) => player.leave()));
}

it("a host is killed twice in a row: each time the standby goes on at once, and nothing that was said is lost (STBY-3)", async () => {
  const player = await join("ada");
  const ada = player.room;
  const bob = (await join("bob", ada.roomId)).room;
  const left: number[] = [];
  for (const room of [ada, bob]) room.onDrop((code) => left.push(code));
  for (const each of recorded.players) each.talk(10);
  const gapsMs: number[] = [];
  for (let round = 0; round < 2; round++) {
    await standbyIs(ada, undefined);
    const before = player.heard;
    await expect.poll(() => player.heard).toBeGreaterThan(before + 50);
    const standby = await standbyOf(ada);
    const { hostId } = ada.host;
    const from = live.events.length;
    const events = Promise.all([moved(ada), moved(bob)]);
    signal(hostId, "SIGKILL");
    for (const event of await events) {
      expect(event).toMatchObject({ restored: true, lost: 0, duplicated: 0, to: { hostId: standby } });
      gapsMs.push(event.gapMs);
    }
    const receipt = await live.receipt(ada.roomId, from);
    expect(receipt).toMatchObject({
      mechanism: "standby",
      reason: "host-lost",
      outcome: "completed",
      fromHostId: hostId,
      toHostId: standby,
      messagesLost: 0,
      freezeMs: { clients: 2, max: Math.max(...gapsMs.slice(-2)) },
    });
  }
  // How long it takes on a machine of its own `npm run bench -- failover` measures.
  expect(Math.max(...gapsMs)).toBeLessThan(LOST_AFTER_MS);
  expect(left).toEqual([]);
  await judge();
});

it("nothing is confirmed that only a host has which dies: players send again what a slow standby had not got (STBY-1)", async () => {
  const player = await join("ada");
  const ada = player.room;
  await standbyIs(ada, undefined);
  const standby = await standbyOf(ada);
  player.talk(10);
  await expect.poll(() => player.heard).toBeGreaterThan(50);
  signal(standby!, "SIGSTOP");
  const saved = async (): Promise<number> => (await store.checkpoint(ada.roomId))?.seq ?? 0;
  // The room goes on and is saved elsewhere, which must not count.
  const before = player.heard;
  const seq = await saved();
  await expect.poll(async () => player.heard > before + 50 && (await saved()) > seq + 1).toBe(true);
  const event = moved(ada);
  signal(ada.host.hostId, "SIGKILL");
  signal(standby!, "SIGCONT");
  expect(await event).toMatchObject({ restored: true, lost: 0, to: { hostId: standby } });
  await judge();
});

it("the standby dies, its host is drained, its room moves: there soon is another, and the room goes on (STBY-2)", async () => {
  const player = await join("ada");
  const ada = player.room;
  player.talk(10);
  await standbyIs(ada, undefined);
  const first = await standbyOf(ada);
  signal(first!, "SIGKILL");
  await standbyIs(ada, first);
  const second = (await standbyOf(ada))!;
  await live.startHost(HOSTS.find(({ hostId }) => hostId === first)!);
  expect(await live.post(`/hosts/${second}/drain`)).toMatchObject({ status: 200 });
  await standbyIs(ada, second);
  // To where the standby is: that becomes the room.
  const arrived = moved(ada);
  expect(await live.post(`/rooms/${ada.roomId}/move`, { hostId: first })).toMatchObject({
    status: 200,
    body: { outcome: "completed", mechanism: "handoff", promoted: true },
  });
  expect(await arrived).toMatchObject({ restored: false, lost: 0, to: { hostId: first } });
  await standbyIs(ada, first);
  const saved = moved(ada);
  signal(first!, "SIGKILL");
  expect(await saved).toMatchObject({ restored: true, lost: 0 });
  await judge();
});
