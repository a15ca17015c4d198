/** What players feel of a hand-off: silence beyond the tick, by client, over many moves. */

import { join } from "node:path";
import { startDistanceEmulator } from "@centroid/emulation";
import { quantileOf } from "@centroid/placement";
import type { CentroidRoom, MigrateEvent } from "@centroid/sdk";
import { RecordedSystem } from "../history/recorded-system.js";
import type { LedgerRoom } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import type { Row } from "./row.js";

const HOSTS = [
  { hostId: "a", siteId: "here" },
  { hostId: "b", siteId: "here" },
];

function once(room: CentroidRoom, done: (event: MigrateEvent) => void): void {
  const off = room.onMigrate((event) => {
    off();
    done(event);
  });
}

/** What was said last has arrived by then. */
const ARRIVAL_MS = 20_000;

interface Settings {
  group: string;
  players: number;
  moves: number;
  /** Numbers in the state; 100,000 of them are about 1 MB on the wire. */
  weights: number;
  rttMs: number;
  aims: { p50?: number; p99: number };
}

export async function handoff(): Promise<Row[]> {
  return [
    ...(await measure({
      group: "hand-off, 50 players at 20 Hz, loopback",
      players: 50,
      moves: 100,
      weights: 0,
      rttMs: 0,
      aims: { p50: 5, p99: 15 },
    })),
    ...(await measure({
      group: "hand-off, 1 MB state, 20 ms RTT",
      players: 20,
      moves: 30,
      weights: 110_000,
      rttMs: 20,
      aims: { p99: 25 },
    })),
  ];
}

async function measure({ group, players, moves, weights, rttMs, aims }: Settings): Promise<Row[]> {
  await using pair = await PairOfHosts.start(join(import.meta.dirname, "../fixtures/rooms"));
  await using recorded = await RecordedSystem.start();
  const roomId = await pair.create("ledger", { weights, ...recorded.options });
  await using emulator =
    rttMs === 0 ? undefined : await startDistanceEmulator({ rttMs: { here: { here: rttMs } }, hosts: HOSTS });
  if (emulator !== undefined) {
    await emulator.setSite("bench", "here");
    pair.via = (address, hostId) => emulator.translate(address, hostId, "bench");
  }
  const rooms = (await Promise.all(
    Array.from({ length: players }, () => pair.client().joinById(roomId)),
  )) as CentroidRoom[];
  for (const room of rooms) recorded.player(room as LedgerRoom).talk(50);
  const events: MigrateEvent[] = [];
  const totals: number[] = [];
  let bytes = 0;
  for (let move = 0; move < moves; move++) {
    const all = Promise.all(rooms.map((room) => new Promise<MigrateEvent>((resolve) => once(room, resolve))));
    const startedMs = performance.now();
    const transfer = await pair.move(roomId);
    totals.push(performance.now() - startedMs);
    bytes += transfer.bytes;
    events.push(...(await all));
  }
  for (const player of recorded.players) player.quiet();
  await recorded.arrived(ARRIVAL_MS);
  const { violations } = await recorded.judge();
  const wrong = violations.length + events.reduce((sum, event) => sum + event.lost + event.duplicated, 0);
  const freeze = events.map((event) => event.freezeMs);
  for (const player of recorded.players) void player.leave();
  return [
    {
      group,
      figure: "freeze beyond the tick p50",
      value: quantileOf(freeze, 0.5),
      unit: "ms",
      ...(aims.p50 !== undefined && { aim: { max: aims.p50 } }),
    },
    {
      group,
      figure: "freeze beyond the tick p99",
      value: quantileOf(freeze, 0.99),
      unit: "ms",
      aim: { max: aims.p99 },
    },
    { group, figure: "freeze beyond the tick max", value: Math.max(...freeze), unit: "ms" },
    { group, figure: "messages lost, doubled or out of order", value: wrong, unit: "", aim: { max: 0 } },
    { group, figure: "whole move p50", value: quantileOf(totals, 0.5), unit: "ms" },
    { group, figure: "bytes per move", value: bytes / moves / 1024, unit: "KiB" },
  ];
}
