/** Colyseus' features one by one: what each does on Colyseus itself, here, after a move of its rooms, and after their host's death. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CentroidClient } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { Client } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type BareColyseus, startBareColyseus } from "../support/bare-colyseus.js";
import { clientFeatures } from "../support/features/client-features.js";
import { withTable } from "../support/features/feature-table.js";
import { matchmakingFeatures } from "../support/features/matchmaking-features.js";
import { roomFeatures } from "../support/features/room-features.js";
import {
  asJson,
  type Disturbance,
  type Feature,
  outcome,
  PATIENCE,
  Stage,
} from "../support/features/stage.js";
import { stateFeatures } from "../support/features/state-features.js";
import { descendants, listener } from "../support/processes.js";

const ROOMS = join(import.meta.dirname, "../fixtures/feature-rooms");
const PAGE = join(import.meta.dirname, "../../docs/colyseus.md");
const WANTED = process.env.CENTROID_FEATURES;
/** `npm run docs:features` */
const WRITE = process.env.CENTROID_FEATURES_WRITE === "1";
/** What does not move, and the death of all hosts, takes as long as everything else. */
const ALL = WRITE || process.env.CENTROID_FEATURES_ALL === "1";
const FEATURES = [...stateFeatures, ...roomFeatures, ...clientFeatures, ...matchmakingFeatures].filter(
  ({ name, area }) => WANTED === undefined || `${area} ${name}`.includes(WANTED),
);

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

async function whereIs(roomId: string): Promise<{ hostId: string; port: number }> {
  const answer = await fetch(`${here.url}/centroid/v1/where/${roomId}`);
  const { publicAddress, host } = (await answer.json()) as {
    publicAddress: string;
    host: { hostId: string };
  };
  return { hostId: host.hostId, port: Number(publicAddress.split(":").at(-1)) };
}

async function moveTo(roomId: string, hostId: string): Promise<void> {
  // Many move at once, some of them are busy, and machines are slow: what is called off is ordered again.
  await vi.waitFor(async () => {
    const { outcome: how, error } = await here.move(roomId, hostId);
    if (how !== "completed") throw new Error(`${how}: ${error?.code} ${error?.message}`);
  }, PATIENCE);
}

const other = (hostId: string): string => (hostId === "a" ? "b" : "a");

async function move(roomIds: readonly string[]): Promise<void> {
  for (const roomId of roomIds) await moveTo(roomId, other((await whereIs(roomId)).hostId));
}

/** The hosts of all rooms that are to lose theirs die when the last trial has got there. */
class Death {
  readonly #roomIds = new Set<string>();
  #missing: number;
  #die: () => void = () => undefined;
  readonly #dead = new Promise<void>((resolve) => {
    this.#die = resolve;
  });

  constructor(trials: number) {
    this.#missing = trials;
  }

  async reached(roomIds: readonly string[]): Promise<void> {
    for (const roomId of roomIds) this.#roomIds.add(roomId);
    this.one();
    await this.#dead;
  }

  /** A trial has got there, or has ended. */
  one(): void {
    if (--this.#missing === 0) void this.#kill();
  }

  async #kill(): Promise<void> {
    const ports = new Set<number>();
    for (const roomId of this.#roomIds) ports.add((await whereIs(roomId)).port);
    const all = descendants(process.pid);
    for (const port of ports) process.kill(listener(all, port) ?? 0, "SIGKILL");
    this.#die();
  }
}

/** What a trial that does not get through comes to. */
const FAILED = "the trial does not get through";

async function play(feature: Feature, stage: Stage): Promise<unknown> {
  const played = feature
    .play(stage)
    .catch(async (cause: unknown) => [FAILED, await outcome(Promise.reject(cause))]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve([FAILED, "takes too long"]), 150_000);
  });
  const seen = await Promise.race([played, late]);
  clearTimeout(timer);
  await stage.end();
  return asJson(seen);
}
const failed = (seen: unknown): boolean => Array.isArray(seen) && seen[0] === FAILED;

const bareStage = (): Stage =>
  new Stage(bare.url, () => new Client(bare.url), { saves: false, reached: async () => undefined });
const stageHere = (disturbance: Disturbance): Stage =>
  new Stage(here.url, () => new CentroidClient(here.url, { probing: false }) as never, disturbance);

/** Trials that are played at once: more than that starve one another on a small machine. */
const AT_ONCE = 6;
class Turns {
  #free = AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

interface Row {
  bare: unknown;
  here: unknown;
  moved: unknown;
  died: unknown;
}

if (!ALL)
  console.log(
    "features in rooms that stay, or whose host dies, are left out (CENTROID_FEATURES_ALL=1 plays them)",
  );

it("does what it does on Colyseus, here, after a move and after a death", async () => {
  const rows = new Map<string, Partial<Row>>();
  const turns = new Turns();
  await Promise.all(
    FEATURES.map(async (feature) => {
      await turns.take();
      const [atBare, moved] = await Promise.all([
        play(feature, bareStage()),
        play(feature, stageHere({ saves: false, reached: move })),
      ]);
      const stays = stageHere({ saves: false, reached: async () => undefined });
      const unmoved = ALL ? await play(feature, stays) : atBare;
      turns.give();
      rows.set(`${feature.area}: ${feature.name}`, { bare: atBare, here: unmoved, moved });
    }),
  );
  const dying = ALL ? FEATURES : [];
  const death = new Death(dying.length);
  await Promise.all(
    dying.map(async (feature) => {
      let reached = false;
      const stage = stageHere({
        saves: true,
        reached: async (roomIds) => {
          reached = true;
          turns.give();
          await death.reached(roomIds);
          await turns.take();
        },
      });
      await turns.take();
      const died = await play(feature, stage);
      turns.give();
      if (!reached) death.one();
      Object.assign(rows.get(`${feature.area}: ${feature.name}`) ?? {}, { died });
    }),
  );
  for (const [name, row] of rows) {
    const { bare } = row;
    expect.soft(failed(bare), `${name}: ${JSON.stringify(bare)}`).toBe(false);
    expect.soft(row, name).toEqual({ bare, here: bare, moved: bare, ...(ALL && { died: bare }) });
  }
  if (WANTED !== undefined) return;
  const page = readFileSync(PAGE, "utf8");
  const now = withTable(page, FEATURES, ({ area, name }) => {
    const row = rows.get(`${area}: ${name}`) ?? {};
    const same = (seen: unknown): boolean => isDeepStrictEqual(seen, row.bare);
    return {
      bare: !failed(row.bare),
      here: ALL ? same(row.here) : undefined,
      moved: same(row.moved),
      died: ALL ? same(row.died) : undefined,
    };
  });
  if (WRITE) writeFileSync(PAGE, now);
  else expect(page, "docs/colyseus.md: npm run docs:features writes it").toBe(now);
}, 400_000);
