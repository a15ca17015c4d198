/** The players of one measured run, all in one process: one comes first, the others join at a steady rate; all move and ping. */
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidClient } from "@centroid/sdk";
import { Client } from "@colyseus/sdk";
import { WebSocket } from "ws";

export interface PlayersTask {
  url: string;
  sdk: "stock" | "ours";
  players: number;
  joinsPerSecond: number;
  playMs: number;
}

export interface PlayersReport {
  /** Of the player that came first, to programs that had just started. */
  firstJoinMs: number;
  joinMs: number[];
  rttMs: number[];
  failedJoins: number;
  /** Moves that were sent and that the room has not counted. */
  lostMoves: number;
}

/** What is sent to the parent, in this order. After `first` the others wait for a message. */
export type FromPlayers = { type: "first" | "joined" } | { type: "done"; report: PlayersReport };

interface Player {
  send(type: string, value: unknown): void;
  request(type: string, value?: unknown): Promise<unknown>;
  leave(): Promise<unknown>;
}

interface Playing {
  readonly player: Player;
  sent: number;
  readonly stop: () => void;
}

const MOVE_EVERY_MS = 100;
const PING_EVERY_MS = 1_000;

globalThis.WebSocket ??= WebSocket as never;
const task = JSON.parse(process.argv[2] ?? "{}") as PlayersTask;
const tell = (message: FromPlayers): void => void process.send?.(message);
const report: PlayersReport = { firstJoinMs: 0, joinMs: [], rttMs: [], failedJoins: 0, lostMoves: 0 };
const playing: Playing[] = [];

process.once("disconnect", () => process.exit(0));
await join(performance.now());
report.firstJoinMs = report.joinMs.pop() ?? Number.NaN;
process.once("message", () => void run());
tell({ type: "first" });

async function run(): Promise<void> {
  const startedAtMs = performance.now();
  const joins: Promise<void>[] = [];
  for (let at = 0; at < task.players - 1; at++) {
    const dueAtMs = startedAtMs + (at * 1_000) / task.joinsPerSecond;
    await sleep(Math.max(0, dueAtMs - performance.now()));
    joins.push(join(dueAtMs));
  }
  await Promise.all(joins);
  tell({ type: "joined" });
  await sleep(task.playMs);
  for (const { stop } of playing) stop();
  await Promise.all(
    playing.map(async ({ player, sent }) => {
      report.lostMoves += sent - Number(await player.request("moves"));
    }),
  );
  tell({ type: "done", report });
}

/** Timed from when it was due: a player that this process is too slow to start waits as well. */
async function join(dueAtMs: number): Promise<void> {
  try {
    const joined =
      task.sdk === "ours"
        ? new CentroidClient(task.url).joinOrCreate("arena")
        : new Client(task.url).joinOrCreate("arena");
    const player = (await joined) as unknown as Player;
    report.joinMs.push(performance.now() - dueAtMs);
    play(player);
  } catch (cause) {
    report.failedJoins++;
    console.error(cause);
  }
}

function play(player: Player): void {
  const it: Playing = {
    player,
    sent: 0,
    stop: () => {
      clearInterval(move);
      clearInterval(ping);
    },
  };
  const move = setInterval(() => {
    player.send("move", 1);
    it.sent++;
  }, MOVE_EVERY_MS);
  const ping = setInterval(() => {
    const sentAtMs = performance.now();
    player.request("echo", 1).then(
      () => report.rttMs.push(performance.now() - sentAtMs),
      (cause: unknown) => console.error(cause),
    );
  }, PING_EVERY_MS);
  playing.push(it);
}
