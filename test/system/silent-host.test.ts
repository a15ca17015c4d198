/** A host that falls silent without a word: nobody closes its connections, so only the clock tells. */
import type { MigrateEvent } from "@centroid/sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type RecordedPlayer, RecordedSystem } from "../history/recorded-system.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";

/** What it may cost, from the silence until its players hear their room again. */
const AIM_MS = 3_000;
/** Other tests share the two cores. */
const SLACK_MS = 3_000;
/** What a host may stand still for without being given up. */
const HICCUP_MS = 1_000;

let live: LiveSystem;
let recorded: RecordedSystem;
beforeEach(async () => {
  recorded = await RecordedSystem.start();
  live = await LiveSystem.start({ autoMove: false });
});
afterEach(async () => {
  for (const hostId of live.agents.keys()) signal(hostId, "SIGCONT");
  await live[Symbol.asyncDispose]();
  await recorded[Symbol.asyncDispose]();
});

const signal = (hostId: string, name: NodeJS.Signals): void => {
  const pids = descendants(live.agents.get(hostId)!.pid);
  recorded.fault(`${name} to ${hostId}`, pids);
  for (const pid of pids) process.kill(pid, name);
};
/** Hosts with a process for rooms. */
const warm = (): string[] =>
  [...live.agents].filter(([, { pid }]) => descendants(pid).length > 1).map(([hostId]) => hostId);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function talking(): Promise<RecordedPlayer> {
  const client = await live.player("ada", "frankfurt", { probing: false });
  const player = recorded.player(
    (await client.create<LedgerState>("ledger", recorded.options)) as LedgerRoom,
  );
  player.talk(10);
  // What was never saved would end with its host.
  await expect.poll(() => player.heard > 150 && player.acknowledged > 0).toBe(true);
  return player;
}

async function judge(player: RecordedPlayer): Promise<void> {
  player.quiet();
  await expect.poll(() => recorded.complete).toBe(true);
  expect((await recorded.judge()).printed).toEqual([]);
  await player.leave();
}

it("its room goes on elsewhere, and its player is back, within 3 s, where no room has ever run (FAIL-1)", async () => {
  const player = await talking();
  const { room } = player;
  const { hostId } = room.host;
  // The one that the room would go to gets ready by itself.
  await expect.poll(() => warm().length).toBeGreaterThan(1);
  const moved = new Promise<{ event: MigrateEvent; atMs: number }>((resolve) => {
    room.onMigrate((event) => resolve({ event, atMs: performance.now() }));
  });
  const silentAtMs = performance.now();
  signal(hostId, "SIGSTOP");
  const { event, atMs } = await moved;
  expect(event).toMatchObject({ restored: true, lost: 0, duplicated: 0 });
  expect(atMs - silentAtMs).toBeLessThan(AIM_MS + SLACK_MS);
  signal(hostId, "SIGCONT");
  await judge(player);
});

it("is not given up for standing still a second now and then: its room stays, with its player", async () => {
  const player = await talking();
  const { room } = player;
  const { hostId } = room.host;
  const from = live.events.length;
  let moves = 0;
  room.onMigrate(() => moves++);
  for (let hiccup = 0; hiccup < 4; hiccup++) {
    signal(hostId, "SIGSTOP");
    // At another point of the beat each time.
    await sleep(HICCUP_MS);
    signal(hostId, "SIGCONT");
    const before = player.heard;
    await expect.poll(() => player.heard).toBeGreaterThan(before);
    await sleep(hiccup * 75);
  }
  const states = live.events
    .slice(from)
    .flatMap((event) => (event.type === "host" && event.host.hostId === hostId ? [event.host.state] : []));
  expect(new Set(states)).toEqual(new Set(["active"]));
  expect(moves).toBe(0);
  expect(room.host.hostId).toBe(hostId);
  await judge(player);
});
