/** A host is killed, or stopped, while players talk: how long until every one of them hears its room again. */
import type { CentroidRoom, MigrateEvent } from "@centroid/sdk";
import type { LedgerState } from "../support/ledger.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { descendants } from "../support/processes.js";
import { quantile, type Row } from "./row.js";

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
      value: quantile(times, 0.5),
      unit: "ms",
      aim: { max: aimMs },
    },
    { group, figure: "until all hear again max", value: Math.max(...times), unit: "ms" },
    { group, figure: "messages lost or doubled", value: wrong, unit: "", aim: { max: 0 } },
  ];
}

/** Kills the room's host, and then the one that it went on at. Returns how many messages were lost or doubled. */
async function kill(type: string, how: NodeJS.Signals, times: number[]): Promise<number> {
  await using live = await LiveSystem.start({ autoMove: false }, undefined, RTT);
  const join = async (at: number, roomId?: string): Promise<CentroidRoom> => {
    const client = await live.player(`player${at}`, "frankfurt");
    const room = await (roomId === undefined
      ? client.create<LedgerState>(type)
      : client.joinById<LedgerState>(roomId));
    room.onMessage("shot", () => undefined);
    return room as CentroidRoom;
  };
  const first = await join(0);
  const rooms = [first];
  for (let at = 1; at < PLAYERS; at++) rooms.push(await join(at, first.roomId));
  let said = 0;
  const talk = setInterval(() => {
    said++;
    for (const room of rooms) room.send("say", said);
  }, TALK_EVERY_MS);
  let wrong = 0;
  for (let killed = 0; killed < HOSTS.length - 1; killed++) {
    if (type === "vault") await standby(live, first.roomId);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const again = Promise.all(rooms.map((room) => heardAgain(room)));
    const killedMs = performance.now();
    const pids = descendants(live.agents.get(first.host.hostId)?.pid ?? -1);
    for (const pid of pids) process.kill(pid, how);
    for (const event of await again) wrong += event.lost + event.duplicated;
    times.push(performance.now() - killedMs);
    if (how !== "SIGKILL") for (const pid of pids) process.kill(pid, "SIGKILL");
  }
  clearInterval(talk);
  await Promise.all(rooms.map((room) => room.leave()));
  return wrong;
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
