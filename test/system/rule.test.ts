/**
 * The rule: whatever a room, its players and those who come later can do, they see the same as on Colyseus, through any
 * number of moves and deaths of hosts. Random scripts are played on Colyseus and here and compared step by step.
 * CENTROID_RULE_RUNS is how many, CENTROID_RULE_SEED begins at another place.
 */
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { Client, type Room } from "@colyseus/sdk";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type BareColyseus, startBareColyseus } from "../support/bare-colyseus.js";
import { descendants, listener } from "../support/processes.js";

const RUNS = Number(process.env.CENTROID_RULE_RUNS ?? 2);
const SEED = Number(process.env.CENTROID_RULE_SEED ?? 20_261_129);
/** A restored room waits for its players; on a busy machine that takes a while. */
const PATIENCE = { timeout: 30_000, interval: 10 };
const ROOMS = join(import.meta.dirname, "../fixtures/rule-rooms");

let bare: BareColyseus;
let here: TestSystem;
beforeAll(async () => {
  [bare, here] = await Promise.all([
    startBareColyseus(ROOMS),
    startTestSystem({ rooms: ROOMS, hosts: ["a", "b"] }),
  ]);
}, 60_000);
afterAll(async () => {
  await bare[Symbol.asyncDispose]();
  await here[Symbol.asyncDispose]();
});

const MESSAGES = [
  ...["walk", "put", "put", "take", "hold", "save", "push", "push", "sort", "cut", "shift", "tag", "crowd"],
  ...["again", "lead", "hide", "plan", "score", "favour", "befriend", "label", "lock", "hush", "size"],
  ...[
    "stack",
    "stack",
    "deal",
    "ring",
    "fuse",
    "defuse",
    "listen",
    "tell",
    "teach",
    "step",
    "shout",
    "whisper",
  ],
] as const;

type Step =
  | { type: "ask"; who: number; what: (typeof MESSAGES)[number]; a: number; b: number }
  | { type: "join" }
  | { type: "leave" | "away" | "back"; who: number }
  /** Only here; on Colyseus there is nowhere to go. */
  | { type: "move" }
  | { type: "death" };

const HIDE: Step = { type: "ask", who: 0, what: "hide", a: 1, b: 0 };

const small = fc.nat({ max: 9 });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant("ask" as const),
      who: small,
      what: fc.constantFrom(...MESSAGES),
      a: small,
      b: small,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "join" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom("leave" as const, "away" as const, "back" as const),
      who: small,
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: "move" as const }) },
);
/** At most one death: it takes seconds. */
const script = fc
  .tuple(fc.array(step, { minLength: 8, maxLength: 20 }), fc.option(fc.nat({ max: 20 }), { freq: 2 }))
  .map(([steps, death]): Step[] =>
    death === null ? steps : [...steps.slice(0, death), { type: "death" }, ...steps.slice(death)],
  );

/** Somebody is away all the time, and comes back in the end. */
const ABSENT: Step[] = [
  { type: "away", who: 1 },
  { type: "move" },
  { type: "death" },
  { type: "ask", who: 0, what: "push", a: 1, b: 2 },
  { type: "move" },
  { type: "back", who: 0 },
  { type: "ask", who: 1, what: "whisper", a: 1, b: 2 },
];

interface Seated {
  name: string;
  room: Room<unknown, { done: number; toJSON(): object }>;
  /** What it was told, each once: what a host said before it died is said again. */
  news: Map<string, unknown>;
  away: boolean;
}

/** One room and its players, on Colyseus or here. */
class Table {
  readonly #client: Client;
  readonly #players: Seated[] = [];
  readonly seen: unknown[] = [];
  #named = 0;
  #asked = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  get roomId(): string {
    return this.#players[0]?.room.roomId ?? "";
  }

  async sit(): Promise<void> {
    const name = `player ${this.#named++}`;
    const room =
      this.#named === 1
        ? await this.#client.create("rule", { name })
        : await this.#client.joinById(this.roomId, { name }).catch(() => undefined);
    // A locked room lets nobody in, on Colyseus either.
    if (room === undefined) this.seen.push(`${name} is not let in`);
    else this.#add({ name, room: room as never, news: new Map(), away: false });
  }

  #add(player: Seated): void {
    player.room.onMessage("news", (told: { n: number }) => player.news.set(JSON.stringify(told), told));
    player.room.onMessage("*", () => undefined);
    this.#players.push(player);
  }

  get #present(): Seated[] {
    return this.#players.filter(({ away }) => !away);
  }

  async play(step: Step): Promise<void> {
    const present = this.#present;
    switch (step.type) {
      case "ask": {
        const { who, what, a, b } = step;
        const player = present[who % present.length];
        player?.room.send("ask", { n: ++this.#asked, what, a, b });
        break;
      }
      case "join":
        if (this.#players.length < 4) await this.sit();
        break;
      case "leave": {
        const player = present[step.who % present.length];
        // Somebody has to stay, to look.
        if (player === undefined || present.length < 2 || player === this.#players[0]) break;
        await player.room.leave();
        this.#players.splice(this.#players.indexOf(player), 1);
        break;
      }
      case "away": {
        const player = present[step.who % present.length];
        if (player === undefined || present.length < 2 || player === this.#players[0]) break;
        player.away = true;
        player.room.reconnection.enabled = false;
        await player.room.leave(false);
        break;
      }
      case "back": {
        const player = this.#players.find(({ away }) => away);
        if (player === undefined) break;
        const room = await this.#client.reconnect(player.room.reconnectionToken);
        this.#players.splice(this.#players.indexOf(player), 1);
        this.#add({ ...player, room: room as never, away: false });
        break;
      }
      case "move":
      case "death":
        break;
    }
    await this.#settled();
  }

  /** All that was asked is done, and everybody has it. */
  async #settled(): Promise<void> {
    await vi.waitFor(async () => {
      for (const { room } of this.#present) expect(room.state?.done ?? 0).toBe(this.#asked);
    }, PATIENCE);
  }

  /** What the server, each player and somebody new see. */
  async look(newcomer: boolean): Promise<void> {
    let last = "";
    await vi.waitFor(async () => {
      const seen = await this.#look();
      expect(seen.server).toMatchObject({ settled: true });
      expect(seen.server.clients).toHaveLength(this.#present.length);
      for (const [, state] of seen.players) expect(shared(state)).toEqual(shared(seen.server.state));
      last = JSON.stringify(seen);
    }, PATIENCE);
    this.seen.push(JSON.parse(last));
    if (!newcomer) return;
    const late = await this.#client.joinById(this.roomId, { name: "late" }).catch(() => undefined);
    if (late === undefined) return;
    await vi.waitFor(() => expect((late.state as { done?: number }).done).toBe(this.#asked), PATIENCE);
    this.seen.push((late.state as { toJSON(): object }).toJSON());
    await late.leave();
  }

  async #look() {
    const [first] = this.#present;
    const server = await first?.room.request<unknown, { state: object; clients: unknown[] }>("look");
    if (server === undefined) throw new Error("nobody is there to look");
    return {
      server,
      players: this.#present.map(
        ({ name, room, news }) => [name, room.state.toJSON(), [...news.values()]] as const,
      ),
    };
  }

  /** Whoever left before a death has left after it, too: once a save has it. */
  async saved(): Promise<void> {
    const [first] = this.#present;
    const saves = async (): Promise<number> => (await first?.room.request<unknown, number>("saves")) ?? 0;
    await this.play(HIDE);
    const before = await saves();
    await vi.waitFor(async () => expect(await saves()).toBeGreaterThan(before), PATIENCE);
  }

  async end(): Promise<void> {
    for (const { room } of this.#present) await room.leave().catch(() => undefined);
  }
}

/** Without what only some players may see. */
const shared = (state: object): unknown =>
  JSON.parse(JSON.stringify(state, (key, value: unknown) => (key === "purse" ? undefined : value)));

async function whereIs(roomId: string): Promise<{ hostId: string; port: number }> {
  const answer = await fetch(`${here.url}/centroid/v1/where/${roomId}`);
  const { publicAddress, host } = (await answer.json()) as {
    publicAddress: string;
    host: { hostId: string };
  };
  return { hostId: host.hostId, port: Number(publicAddress.split(":").at(-1)) };
}

async function disturb(type: "move" | "death", roomId: string): Promise<void> {
  const { hostId, port } = await whereIs(roomId);
  if (type === "move") {
    const receipt = await here.move(roomId, hostId === "a" ? "b" : "a");
    expect(receipt).toMatchObject({ outcome: "completed", messagesLost: 0, messagesDuplicated: 0 });
    return;
  }
  process.kill(listener(descendants(process.pid), port) ?? 0, "SIGKILL");
}

async function playThrough(client: Client, steps: readonly Step[], disturbs: boolean): Promise<unknown[]> {
  const table = new Table(client);
  await table.sit();
  await table.sit();
  for (const step of steps) {
    if (step.type === "death") await (disturbs ? table.saved() : table.play(HIDE));
    if (disturbs && (step.type === "move" || step.type === "death")) await disturb(step.type, table.roomId);
    await table.play(step);
    if (step.type === "move" || step.type === "death") await table.look(false);
  }
  await table.look(true);
  await table.end();
  return table.seen;
}

it(
  "rooms are the same as on Colyseus, whatever they do and wherever they go",
  async () => {
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        const [expected, seen] = await Promise.all([
          playThrough(new Client(bare.url), steps, false),
          playThrough(new CentroidClient(here.url, { probing: false }) as never, steps, true),
        ]);
        expect(seen).toEqual(expected);
      }),
      {
        numRuns: RUNS,
        seed: SEED,
        examples: [[ABSENT]],
        endOnFailure: process.env.CENTROID_RULE_SHRINK !== "1",
      },
    );
  },
  RUNS * 60_000 + 30_000,
);
