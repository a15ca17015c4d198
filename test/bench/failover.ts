/** A host is killed, or stopped, while players talk: how long until every one of them hears its room again. */
import { quantileOf } from "@centroid/placement";
import type { CentroidRoom, MigrateEvent } from "@centroid/sdk";
import { RecordedSystem } from "../history/recorded-system.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";
import type { Row } from "./row.js";

/** Hosts of one continent, ms. */
const RTT = {
  frankfurt: { frankfurt: 4, virginia: 20, tokyo: 30 },
  virginia: { frankfurt: 20, virginia: 4, tokyo: 20 },
  tokyo: { frankfurt: 30, virginia: 20, tokyo: 4 },
};
const PLAYERS = 10;
/** Two kills in each. */
const ROUNDS = 3;
/** Meanwhile the room is saved, and the hosts that players have measured start the process for rooms. */
const SETTLE_MS = 4_000;
const TALK_EVERY_MS = 50;
/** What was said last has arrived by then. */
const ARRIVAL_MS = 20_000;

export async function failover(): Promise<Row[]> {
  return [
    ...(await measure("failover, 10 players, saved every second", "ledger", "SIGKILL", 3_000)),
    ...(await measure("the same, host falls silent", "ledger", "SIGSTOP", 3_000)),
    ...(await measure("standby takeover, 10 players, replicated room", "vault", "SIGKILL", 250)),
  ];
}

async function measure(group: string, type: string, how: NodeJS.Signals, aimMs: number): Promise<Row[]> {
  const times: number[] = [];
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) wrong += await kill(type, how, times);
  return [
    {
      group,
      figure: "until all hear again p50",
      value: quantileOf(times, 0.5),
      unit: "ms",
      aim: { max: aimMs },
    },
    { group, figure: "until all hear again max", value: Math.max(...times), unit: "ms" },
    {
      group,
      figure: "messages lost, doubled or out of order, and other faults in the history",
      value: wrong,
      unit: "",
      aim: { max: 0 },
    },
  ];
}

/** Kills the room's host, and then the one that it went on at. Returns how much is wrong in the history. */
async function kill(type: string, how: NodeJS.Signals, times: number[]): Promise<number> {
  await using live = await LiveSystem.start({ autoMove: false }, undefined, RTT);
  await using recorded = await RecordedSystem.start();
  const join = async (at: number, roomId?: string): Promise<LedgerRoom> => {
    const client = await live.player(`player${at}`, "frankfurt");
    const room = (await (roomId === undefined
      ? client.create<LedgerState>(type, recorded.options)
      : client.joinById<LedgerState>(roomId))) as LedgerRoom;
    recorded.player(room).talk(TALK_EVERY_MS);
    return room;
  };
  const first = await join(0);
  const rooms = [first];
  for (let at = 1; at < PLAYERS; at++) rooms.push(await join(at, first.roomId));
  for (let killed = 0; killed < HOSTS.length - 1; killed++) {
    if (type === "vault") await standby(live, first.roomId);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const again = Promise.all(rooms.map((room) => heardAgain(room as CentroidRoom)));
    const killedMs = performance.now();
    const pids = descendants(live.agents.get(first.host.hostId)?.pid ?? -1);
    recorded.fault(how, pids);
    for (const pid of pids) process.kill(pid, how);
    await again;
    times.push(performance.now() - killedMs);
    if (how !== "SIGKILL") for (const pid of pids) process.kill(pid, "SIGKILL");
  }
  for (const player of recorded.players) player.quiet();
  await recorded.arrived(ARRIVAL_MS);
  const { violations } = await recorded.judge();
  await Promise.all(recorded.players.map((player) => player.leave()));
  return violations.length;
}

function heardAgain(room: CentroidRoom): Promise<MigrateEvent> {
  return new Promise((resolve) => {
    const off = room.onMigrate((event) => {
      off();
      resolve(event);
    });
  });
}

/** Until the room has a standby on a host that lives. */
async function standby(live: LiveSystem, roomId: string): Promise<void> {
  for (;;) {
    const room = (await live.rooms()).find((candidate) => candidate.roomId === roomId);
    const alive = (await live.hosts()).filter(({ state }) => state === "active").map(({ hostId }) => hostId);
    if (room?.standbyHostId !== undefined && alive.includes(room.standbyHostId)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
