/**
 * Moves of a deterministic room beside ordinary moves of the same room, over a long distance: how long players wait for the
 * next patch, and whether every input was taken once and in order. The players are all near one host, so every other move
 * takes the room away from them.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDistanceEmulator } from "@centroid/emulation";
import { quantileOf } from "@centroid/placement";
import { DisposalStack } from "@centroid/protocol/node";
import type { CentroidRoom } from "@centroid/sdk";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import type { BenchOptions } from "./groups.js";
import type { Row } from "./row.js";

const ROOMS = join(import.meta.dirname, "../fixtures/input-rooms");
const RTT_MS = 230;
const NEAR_RTT_MS = 4;
const PLAYERS = 4;
const PATCH_MS = 50;
const STEP_MS = 1000 / 60;
const SETTLE_MS = 700;
/** Moves of each kind, half of them each way. */
const MOVES = 10;

interface Body {
  taken: number;
  last: number;
  disorder: number;
}
type Room = CentroidRoom<{ gaps: number; ground: { bodies: Map<string, Body> } }>;

/** One player, who says something at each step, and its longest wait for a patch. */
class Duelist {
  readonly #room: Room;
  readonly #input;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #lastMs = performance.now();
  #longestMs = 0;

  constructor(room: Room) {
    this.#room = room;
    this.#input = room.input<{ n: number; dx: number }>();
    this.#input.data.dx = 1;
    room.onStateChange(() => {
      const nowMs = performance.now();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
    });
    this.#timer = setInterval(() => {
      this.#input.data.n = ++this.#sent;
      this.#input.send();
    }, STEP_MS);
  }

  /** Beyond the interval of patches, since it was asked last. */
  silence(): number {
    const silenceMs = Math.max(0, this.#longestMs - PATCH_MS);
    this.#longestMs = 0;
    return silenceMs;
  }

  /** Stops. @returns inputs that were lost or taken twice or out of order or not acknowledged, and numbers of steps that were left out */
  async wrong(): Promise<number> {
    clearInterval(this.#timer);
    const { state, sessionId } = this.#room;
    const body = (): Body | undefined => state.ground.bodies.get(sessionId);
    for (let waited = 0; waited < 200 && body()?.taken !== this.#sent; waited++) await sleep(50);
    await sleep(2 * RTT_MS);
    const { taken = 0, disorder = 0 } = body() ?? {};
    const wrong = Math.abs(this.#sent - taken) + disorder + this.#input.pendingCount + state.gaps;
    await this.#room.leave();
    return wrong;
  }
}

export async function inStep({ runs = MOVES }: BenchOptions): Promise<Row[]> {
  await using owned = new DisposalStack();
  const near = { a: NEAR_RTT_MS, b: RTT_MS };
  const emulator = owned.use(
    await startDistanceEmulator({
      rttMs: { a: near, b: { a: RTT_MS, b: NEAR_RTT_MS }, players: near },
      hosts: ["a", "b"].map((hostId) => ({ hostId, siteId: hostId })),
    }),
  );
  for (const label of ["a", "b", "players"]) await emulator.setSite(label, label);
  const pair = owned.use(await PairOfHosts.start(ROOMS));
  pair.via = (address, hostId) => emulator.translate(address, hostId, "players");
  pair.between = (address, hostId) => emulator.translate(address, hostId, hostId === "a" ? "b" : "a");
  const kinds = await Promise.all(
    ["unmarked", "duel"].map(async (type) => {
      const roomId = await pair.create(type);
      const duelists: Duelist[] = [];
      for (let at = 0; at < PLAYERS; at++)
        duelists.push(new Duelist((await pair.client().joinById(roomId)) as Room));
      return { type, roomId, duelists, away: [] as number[], back: [] as number[], totalMs: [] as number[] };
    }),
  );
  const still: number[] = [];
  let fellBack = 0;
  await sleep(2 * SETTLE_MS);
  for (let move = 0; move < runs; move++)
    for (const { roomId, duelists, away, back, totalMs } of kinds) {
      for (const duelist of duelists) duelist.silence();
      await sleep(2 * SETTLE_MS);
      // What this machine does to the rhythm by itself.
      for (const duelist of duelists) still.push(duelist.silence());
      const startedAtMs = performance.now();
      const { inStep } = await pair.move(roomId);
      totalMs.push(performance.now() - startedAtMs);
      await sleep(SETTLE_MS);
      const silences = duelists.map((duelist) => duelist.silence());
      if (inStep?.outcome === "fell-back") {
        console.error(`move ${move} fell back: ${inStep.reason}`);
        fellBack++;
      } else (move % 2 === 0 ? away : back).push(...silences);
    }
  const rows: Row[] = [];
  for (const { type, duelists, away, back, totalMs } of kinds) {
    const group = `${RTT_MS} ms between hosts, ${type === "duel" ? "in step" : "ordinary hand-off"}`;
    const ms = (figure: string, values: number[], q: number): Row => ({
      ...{ group, figure: `${figure}, p${q * 100}`, value: quantileOf(values, q), unit: "ms" },
    });
    for (const q of [0.5, 0.99]) {
      rows.push(ms("silence beyond a patch, away from the players", away, q));
      rows.push(ms("silence beyond a patch, towards the players", back, q));
    }
    rows.push(ms("whole move", totalMs, 0.5));
    const wrong = await Promise.all(duelists.map((duelist) => duelist.wrong()));
    rows.push({
      ...{ group, figure: "inputs lost, doubled, out of order, not acknowledged", unit: "", aim: { max: 0 } },
      value: wrong.reduce((sum, count) => sum + count, 0),
    });
  }
  const group = "without a move";
  for (const q of [0.5, 0.99])
    rows.push({
      group,
      figure: `silence beyond a patch, p${q * 100}`,
      value: quantileOf(still, q),
      unit: "ms",
    });
  rows.push({ group: "in step", figure: `of ${runs} moves that fell back`, value: fellBack, unit: "" });
  return rows;
}
