/** Players of rooms that leave their host: each keeps moving; at the end the room says how many of its moves it has counted. */
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { WebSocket } from "ws";

export interface EvacuationTask {
  url: string;
  rooms: number;
  players: number;
}

/** Sent to the parent, in this order; after `joined` it is waited for a message. */
export type FromEvacuationPlayers =
  | { type: "joined"; hostIds: string[] }
  | { type: "done"; lost: number; gapMs: number[]; restored: number };

const MOVE_EVERY_MS = 500;
const ATTEMPTS = 6;
/** Joins under way at once. */
const AT_ONCE = 16;

globalThis.WebSocket ??= WebSocket as never;
const task = JSON.parse(process.argv[2] ?? "{}") as EvacuationTask;
const tell = (message: FromEvacuationPlayers): void => void process.send?.(message);
const rooms: { room: CentroidRoom; sent: number }[] = [];
const gapMs: number[] = [];
let restored = 0;

process.once("disconnect", () => process.exit(0));

async function inTurns(count: number, one: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

function play(room: CentroidRoom): void {
  const it = { room, sent: 0 };
  rooms.push(it);
  room.onMigrate((move) => {
    gapMs.push(move.gapMs);
    if (move.restored) restored++;
  });
}

/** A machine that is full of other work may need more than the SDK waits for. */
async function asked(room: CentroidRoom): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return Number(await room.request("moves"));
    } catch (cause) {
      console.error(room.roomId, room.sessionId, room.host.hostId, String(cause));
      if (attempt === ATTEMPTS) throw cause;
    }
  }
}

const ids: string[] = [];
await inTurns(task.rooms, async () => {
  const room = await new CentroidClient(task.url).create("arena");
  ids.push(room.roomId);
  play(room);
});
await inTurns(task.players - task.rooms, async (at) => {
  play(await new CentroidClient(task.url).joinById(ids[at % ids.length] ?? ""));
});
let turn = 0;
const TURNS = 10;
const moves = setInterval(() => {
  turn = (turn + 1) % TURNS;
  for (const [at, it] of rooms.entries()) {
    if (at % TURNS !== turn) continue;
    it.room.send("move", 1);
    it.sent++;
  }
}, MOVE_EVERY_MS / TURNS);
process.once("message", async () => {
  clearInterval(moves);
  await sleep(1_000);
  const counted = await Promise.all(rooms.map(({ room }) => asked(room)));
  const lost = rooms.reduce((sum, { sent }, at) => sum + sent - Number(counted[at]), 0);
  tell({ type: "done", lost, gapMs, restored });
});
tell({ type: "joined", hostIds: rooms.map(({ room }) => room.host.hostId) });
