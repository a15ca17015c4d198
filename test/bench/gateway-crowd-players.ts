/** Thousands of players of one gateway in a process of their own: they join, say numbers at a steady rate, and count what comes. */
import { setTimeout as sleep } from "node:timers/promises";
import { RawClient } from "../gateway/raw-client.js";

/** Resolves the parent's order; `joined` comes first and without one. */
export type CrowdOrder =
  | { type: "join"; count: number }
  | { type: "play"; perSecond: number; playMs: number };

export type CrowdAnswer =
  | { type: "joined"; open: number; failed: number }
  | { type: "played"; sent: number; frames: number; wrong: number; closed: number };

/** Joins under way at once. */
const JOINING = 48;
/** A gateway takes 4,096 connections of an address; the loopback interface has many. */
const PER_ADDRESS = 2_000;
/** Each player speaks in one of so many turns, as players are not in step. */
const TURNS = 10;
const ARRIVAL_MS = 60_000;
const POLL_MS = 50;

const [, , url = "", roomName = ""] = process.argv;
const players: RawClient[] = [];
const said = new Map<RawClient, number>();
const ticks = new Map<RawClient, number>();
const tell = (answer: CrowdAnswer): void => void process.send?.(answer);
process.once("disconnect", () => process.exit(0));
process.on("message", (order: CrowdOrder) => void (order.type === "join" ? joins(order) : plays(order)));

async function joins({ count }: Extract<CrowdOrder, { type: "join" }>): Promise<void> {
  let [left, failed] = [count, 0];
  await Promise.all(
    Array.from({ length: JOINING }, async () => {
      while (left-- > 0) {
        const from = `127.0.0.${1 + Math.floor((players.length + failed) / PER_ADDRESS)}`;
        try {
          players.push(await RawClient.join(url, roomName, { from }));
        } catch (cause) {
          failed++;
          console.error(cause);
        }
      }
    }),
  );
  tell({ type: "joined", open: open(), failed });
}

async function plays({ perSecond, playMs }: Extract<CrowdOrder, { type: "play" }>): Promise<void> {
  const startedAtMs = performance.now();
  let [sent, frames, wrong] = [0, 0, 0];
  for (const player of players) take(player);
  for (let turn = 0; performance.now() - startedAtMs < playMs; turn++) {
    for (let at = turn % TURNS; at < players.length; at += TURNS) {
      const player = players[at];
      if (player === undefined) continue;
      const seen = take(player);
      frames += seen.frames;
      wrong += seen.wrong;
      const number = (said.get(player) ?? 0) + 1;
      said.set(player, number);
      player.say("say", number);
      sent++;
    }
    const dueAtMs = startedAtMs + ((turn + 1) * 1_000) / perSecond / TURNS;
    await sleep(Math.max(0, dueAtMs - performance.now()));
  }
  for (const player of players) {
    const seen = take(player);
    frames += seen.frames;
    wrong += seen.wrong;
    player.say("tally", 0);
  }
  for (const player of players) wrong += await unlike(player);
  tell({ type: "played", sent, frames, wrong, closed: players.length - open() });
}

const open = (): number => players.filter(({ closed }) => closed === undefined).length;

/** How many frames have come since it was asked last, and how many of the room's numbers did not follow each other. */
function take(player: RawClient): { frames: number; wrong: number } {
  const numbers = player.numbers("tick");
  let [last, wrong] = [ticks.get(player), 0];
  for (const number of numbers) {
    if (last !== undefined && number !== last + 1) wrong++;
    last = number;
  }
  if (last !== undefined) ticks.set(player, last);
  const frames = player.frames.length;
  player.frames.length = 0;
  return { frames, wrong };
}

/** How much of what this player has said its room has not, or not in order. */
async function unlike(player: RawClient): Promise<number> {
  const giveUpAtMs = performance.now() + ARRIVAL_MS;
  for (;;) {
    const [[last], [wrong]] = [player.numbers("last"), player.numbers("wrong")];
    if (last !== undefined && wrong !== undefined) return (said.get(player) ?? 0) - last + wrong;
    if (player.closed !== undefined || performance.now() > giveUpAtMs) return said.get(player) ?? 0;
    await sleep(POLL_MS);
  }
}
