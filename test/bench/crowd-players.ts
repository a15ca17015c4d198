/**
 * The players of one large room, all in one process: the first makes it, the others join. They listen, and are asked over
 * IPC what they have seen.
 */
import { CentroidClient, type MigrateEvent } from "@centroid/sdk";
import { Client } from "@colyseus/sdk";
import { WebSocket } from "ws";

export interface CrowdTask {
  url: string;
  sdk: "stock" | "ours";
  type: string;
  players: number;
}

/** How late the room's ticks were since they were asked last; or, as soon as all have moved, what that was like. */
export type CrowdQuestion = "late" | "moved";

export type FromCrowd =
  | { type: "joined"; roomId: string }
  | { type: "late"; lateMs: number[]; patches: number }
  | { type: "moved"; freezesMs: number[]; wrong: number };

interface Player {
  roomId: string;
  request(type: string, value?: unknown): Promise<unknown>;
  onStateChange(callback: () => void): void;
}

/** Joins under way at once. */
const JOINING = 10;

globalThis.WebSocket ??= WebSocket as never;
const task = JSON.parse(process.argv[2] ?? "{}") as CrowdTask;
const tell = (message: FromCrowd): void => void process.send?.(message);
process.once("disconnect", () => process.exit(0));

interface Joiner {
  create(type: string): Promise<unknown>;
  joinById(roomId: string): Promise<unknown>;
}

const client = (): Joiner =>
  task.sdk === "ours" ? new CentroidClient(task.url, { probing: false }) : new Client(task.url);
const first = (await client().create(task.type)) as Player;
const players: Player[] = [first];
let moves: MigrateEvent[] = [];
let patches = 0;
let onMoved: (() => void) | undefined;
hear(first);
first.onStateChange(() => patches++);
let left = task.players - 1;
await Promise.all(
  Array.from({ length: JOINING }, async () => {
    while (left-- > 0) {
      const player = (await client().joinById(first.roomId)) as Player;
      players.push(player);
      hear(player);
    }
  }),
);
process.on("message", (question: CrowdQuestion) => void answer(question));
tell({ type: "joined", roomId: first.roomId });

function hear(player: Player): void {
  if (!("onMigrate" in player)) return;
  (player.onMigrate as (callback: (event: MigrateEvent) => void) => void)((event) => {
    moves.push(event);
    if (moves.length >= players.length) onMoved?.();
  });
}

async function answer(question: CrowdQuestion): Promise<void> {
  switch (question) {
    case "late": {
      const lateMs = (await first.request("late")) as number[];
      tell({ type: "late", lateMs, patches });
      patches = 0;
      return;
    }
    case "moved": {
      if (moves.length < players.length)
        await new Promise<void>((resolve) => {
          onMoved = resolve;
        });
      const wrong = moves.reduce((sum, { lost, duplicated }) => sum + lost + duplicated, 0);
      tell({ type: "moved", freezesMs: moves.map(({ freezeMs }) => freezeMs), wrong });
      moves = [];
      return;
    }
    default: {
      const never: never = question;
      throw new Error(`unknown question ${JSON.stringify(never)}`);
    }
  }
}
