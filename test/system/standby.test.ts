/** Rooms marked `replicated`: their host is killed and their players notice a blink, not a pause. */
import type { MigrateEvent } from "@centroid/sdk";
import { MemoryStore } from "@centroid/server";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

/** What a host's death may cost, as players see it. */
const AIM_MS = 250;

/** Hosts of one continent. */
const RTT = {
  frankfurt: { frankfurt: 4, virginia: 20, tokyo: 30 },
  virginia: { frankfurt: 20, virginia: 4, tokyo: 20 },
  tokyo: { frankfurt: 30, virginia: 20, tokyo: 4 },
};

let live: LiveSystem;
let store: MemoryStore;
beforeEach(async () => {
  // Silence alone must not be what tells: that would take seconds.
  store = new MemoryStore();
  live = await LiveSystem.start(
    { store, lostAfterMs: 8_000, heartbeatIntervalMs: 300, autoMove: false },
    undefined,
    RTT,
  );
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
});

const join = async (label: string, roomId?: string): Promise<LedgerRoom> => {
  const client = await live.player(label, "frankfurt");
  const room = await (roomId === undefined
    ? client.create<LedgerState>("vault")
    : client.joinById<LedgerState>(roomId));
  room.onMessage("shot", () => undefined);
  return room as LedgerRoom;
};
const heard = (room: LedgerRoom): number => room.state.entries.get(room.sessionId)?.count ?? 0;
const moved = (room: LedgerRoom): Promise<MigrateEvent> =>
  new Promise((resolve) => void room.onMigrate(resolve));
const standbyOf = async (room: LedgerRoom): Promise<string | undefined> =>
  (await live.rooms()).find(({ roomId }) => roomId === room.roomId)?.standbyHostId;
const standbyIs = (room: LedgerRoom, not: string | undefined): Promise<unknown> =>
  expect.poll(async () => ![undefined, not].includes(await standbyOf(room)), { timeout: 20_000 }).toBe(true);
const signal = (hostId: string, name: NodeJS.Signals): void => {
  for (const pid of descendants(live.agents.get(hostId)!.pid)) process.kill(pid, name);
};

/** Both say the same numbers until told to stop. */
function talk(rooms: readonly LedgerRoom[]): { stop: () => number } {
  let said = 0;
  const timer = setInterval(() => {
    said++;
    for (const room of rooms) room.send("say", said);
  }, 10);
  return {
    stop() {
      clearInterval(timer);
      return said;
    },
  };
}

async function heardAll(rooms: readonly LedgerRoom[], said: number): Promise<void> {
  for (const room of rooms) {
    await expect.poll(() => heard(room), { timeout: 20_000 }).toBe(said);
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
  }
}

it("a host is killed twice in a row: each time the standby goes on at once, and nothing that was said is lost", async () => {
  const ada = await join("ada");
  const bob = await join("bob", ada.roomId);
  const left: number[] = [];
  for (const room of [ada, bob]) {
    room.onLeave((code) => left.push(code));
    room.onDrop((code) => left.push(code));
  }
  const talking = talk([ada, bob]);
  const gapsMs: number[] = [];
  for (let round = 0; round < 2; round++) {
    await standbyIs(ada, undefined);
    const before = heard(ada);
    await expect.poll(() => heard(ada)).toBeGreaterThan(before + 50);
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
  // All of this shares two cores with other tests: the worst case is theirs, the best one is ours.
  expect(Math.min(...gapsMs)).toBeLessThan(AIM_MS);
  expect(Math.max(...gapsMs)).toBeLessThan(2_000);
  await heardAll([ada, bob], talking.stop());
  expect(left).toEqual([]);
  await Promise.all([ada.leave(), bob.leave()]);
});

it("nothing is confirmed that only a host has which dies: players send again what a slow standby had not got", async () => {
  const ada = await join("ada");
  await standbyIs(ada, undefined);
  const standby = await standbyOf(ada);
  const talking = talk([ada]);
  await expect.poll(() => heard(ada)).toBeGreaterThan(50);
  signal(standby!, "SIGSTOP");
  const saved = async (): Promise<number> => (await store.checkpoint(ada.roomId))?.seq ?? 0;
  // The room goes on and is saved elsewhere, which must not count.
  const before = heard(ada);
  const seq = await saved();
  await expect.poll(async () => heard(ada) > before + 50 && (await saved()) > seq + 1).toBe(true);
  const event = moved(ada);
  signal(ada.host.hostId, "SIGKILL");
  signal(standby!, "SIGCONT");
  expect(await event).toMatchObject({ restored: true, lost: 0, to: { hostId: standby } });
  await heardAll([ada], talking.stop());
  await ada.leave();
});

it("the standby dies, its host is drained, its room moves: there soon is another, and the room goes on", async () => {
  const ada = await join("ada");
  const talking = talk([ada]);
  await standbyIs(ada, undefined);
  const first = await standbyOf(ada);
  signal(first!, "SIGKILL");
  await standbyIs(ada, first);
  const second = (await standbyOf(ada))!;
  await live.startHost(HOSTS.find(({ hostId }) => hostId === first)!);
  expect(await live.post(`/hosts/${second}/drain`)).toMatchObject({ status: 200 });
  await standbyIs(ada, second);
  // To where the standby is: the room comes with all that it has there.
  const arrived = moved(ada);
  expect(await live.post(`/rooms/${ada.roomId}/move`, { hostId: first })).toMatchObject({ status: 200 });
  expect(await arrived).toMatchObject({ restored: false, lost: 0, to: { hostId: first } });
  await standbyIs(ada, first);
  const saved = moved(ada);
  signal(first!, "SIGKILL");
  expect(await saved).toMatchObject({ restored: true, lost: 0 });
  await heardAll([ada], talking.stop());
  await ada.leave();
});
