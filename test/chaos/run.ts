/**
 * Players talk while parts of a deployment are killed, stopped, cut off, and given bad clocks and disks: several at
 * once, at random, and at chosen moments of moves. A seed draws what is done. At the end the history of everything
 * that was said, heard and told is judged, and the deployment's books have to be in order.
 */
import { cp } from "node:fs/promises";
import { type RecordedPlayer, RecordedSystem } from "../history/recorded-system.js";
import { Draw } from "../support/draw.js";
import { mentioning } from "../support/processes.js";
import { type Aim, type Fault, faultsOf } from "./faults.js";
import { beliefs, type Expectation, onceAllHaveLeft, whileRoomsRun } from "./leftovers.js";
import { MoveWatch, orderMove } from "./mover.js";
import { Talkers } from "./talkers.js";
import { ChaosWorld, sleep, type WorldOptions } from "./world.js";

export interface ChaosOptions {
  seed: number;
  forMs: number;
  store: WorldOptions["store"];
  brokers?: number;
  hosts?: number;
  /** In turn for each room; drawn if not given: with or without a room that has a warm standby. */
  roomTypes?: string[];
  playersPerRoom?: number;
  /** Only these faults; all that the deployment can have if not given. */
  faults?: string[];
  /** How many faults beside those aimed at moves go on at the same time, at most. */
  lanes?: number;
  say?: (line: string) => void;
  /** Where the whole history and the brokers' logs go if something is wrong. */
  keep?: string;
  /** Ends it early; what there was until then is judged. */
  signal?: AbortSignal;
}

export interface ChaosResult {
  seed: number;
  faults: Record<string, number>;
  players: number;
  sent: number;
  moves: number;
  restored: number;
  /** What is wrong, each with the events that prove it. */
  violations: string[];
}

/** Between two faults of one lane. */
const PAUSE_MS = 2_500;
const MOVE_PAUSE_MS = 1_500;
/** A fault comes so soon after the moment of a move that it is aimed at. */
const AIM_WITHIN_MS = 300;
/** A move that does not get to the point in time is met wherever it is. */
const PHASE_TIMEOUT_MS = 2_000;
/** Most moves meet a fault. */
const AIMED_SHARE = 0.7;
/** What is not right by then after the last fault will not become so, on a busy machine either. */
const SETTLE_MS = 180_000;
const POLL_MS = 100;
/** No more faults come while a session has stood still for so long: its player gives it up after two minutes. */
const STILL_MS = 40_000;
const MOMENTS = [
  "ordered",
  "preparing",
  "copying",
  "connecting",
  "frozen",
  "switching",
  "releasing",
  "completed",
] as const;

export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { store, hosts = 3, brokers = store === "redis" ? 2 : 1 } = options;
  const world = await ChaosWorld.start({ store, brokers, hosts, links: true });
  let result: ChaosResult;
  try {
    result = await new Chaos(world, options).run();
  } finally {
    await world[Symbol.asyncDispose]();
  }
  const left = (): { pid: number; name: string }[] => mentioning(world.mark);
  // A room host alone may take six seconds to end, on a machine of its own.
  if (!(await until(() => left().length === 0, 30_000)))
    for (const { pid, name } of left()) result.violations.push(`process ${pid} is left behind: ${name}`);
  return result;
}

/** Whether a deployment gets to do anything between its faults, as its players see it. */
class Air {
  readonly #players: readonly RecordedPlayer[];
  readonly #moving = new Map<RecordedPlayer, { last: number; sinceMs: number }>();

  constructor(players: readonly RecordedPlayer[]) {
    this.#players = players;
  }

  /** True while the room has not heard a player for {@link STILL_MS}. */
  get isThin(): boolean {
    const nowMs = performance.now();
    return this.#players
      .map((player) => {
        const { last } = player;
        const before = this.#moving.get(player);
        if (before !== undefined && before.last === last) return nowMs - before.sinceMs > STILL_MS;
        this.#moving.set(player, { last, sinceMs: nowMs });
        return false;
      })
      .includes(true);
  }
}

class Chaos {
  readonly #world: ChaosWorld;
  readonly #options: ChaosOptions;
  readonly #roomTypes: string[];
  readonly #counts: Record<string, number> = {};
  readonly #say: (line: string) => void;
  #endsAt = 0;

  constructor(world: ChaosWorld, options: ChaosOptions) {
    this.#world = world;
    this.#options = options;
    this.#say = options.say ?? (() => undefined);
    this.#roomTypes =
      options.roomTypes ?? (options.seed % 2 === 0 ? ["ledger", "ledger"] : ["ledger", "vault"]);
  }

  async run(): Promise<ChaosResult> {
    const { seed, forMs, lanes = 2 } = this.#options;
    const world = this.#world;
    await using recorded = await RecordedSystem.start();
    using talkers = new Talkers(world.urls, recorded);
    using watch = new MoveWatch(world.urls);
    const roomIds = await this.#fill(talkers);
    const { players } = recorded;
    // Each room is saved at least once, so that losing its host does not end it.
    await until(() => players.every(({ last }) => last > 40));
    const all = faultsOf(world, recorded);
    const wanted = this.#options.faults;
    const faults = wanted === undefined ? all : all.filter(({ name }) => wanted.includes(name));
    this.#endsAt = Date.now() + forMs;
    const air = new Air(players);
    const running = Array.from({ length: lanes }, (_, lane) =>
      this.#lane(new Draw(seed * 31 + lane), faults, air),
    );
    running.push(this.#moves(new Draw(seed * 31 + lanes), faults, recorded, watch, air));
    await Promise.all(running);

    for (const player of players) player.quiet();
    const settled = await until(() => recorded.complete, SETTLE_MS);
    if (!settled) this.#say("not everything has arrived");
    // What the room told last has arrived too.
    await sleep(1_000);
    const { printed } = await recorded.judge();
    const violations = [...printed, ...world.endedByThemselves];
    const { keep } = this.#options;
    if (keep !== undefined && printed.length > 0) await cp(recorded.folder, keep, { recursive: true });
    const broken = async (expectations: readonly Expectation[]): Promise<void> => {
      const wrong = expectations.map(async ({ otherwise, holds }) =>
        (await until(holds, SETTLE_MS)) ? [] : [otherwise],
      );
      violations.push(...(await Promise.all(wrong)).flat());
    };
    await broken(whileRoomsRun(world, roomIds.length));
    if (violations.length > 0) for (const line of await beliefs(world)) this.#say(line);
    await Promise.all(players.map((player) => player.leave()));
    await using books = await onceAllHaveLeft(world);
    await broken(books);
    if (keep !== undefined && violations.length > 0) await world.keepLogs(keep);
    const sum = (of: (player: RecordedPlayer) => number): number =>
      players.reduce((total, player) => total + of(player), 0);
    return {
      seed,
      faults: this.#counts,
      players: players.length,
      sent: sum(({ sent }) => sent),
      moves: sum(({ moves }) => moves),
      restored: sum(({ restored }) => restored),
      violations,
    };
  }

  async #fill(talkers: Talkers): Promise<string[]> {
    const roomIds: string[] = [];
    for (const [at, type] of this.#roomTypes.entries()) {
      const { room } = await talkers.create(type, `p${at}-0`);
      roomIds.push(room.roomId);
      for (let player = 1; player < (this.#options.playersPerRoom ?? 2); player++)
        await talkers.join(room.roomId, `p${at}-${player}`);
    }
    return roomIds;
  }

  get #over(): boolean {
    return Date.now() >= this.#endsAt || this.#options.signal?.aborted === true;
  }

  /** One fault after the other. */
  async #lane(draw: Draw, faults: readonly Fault[], air: Air): Promise<void> {
    while (!this.#over) {
      if (air.isThin) {
        await sleep(POLL_MS);
        continue;
      }
      await this.#strike(draw, faults, {});
      await sleep(draw.unit() * PAUSE_MS);
    }
  }

  /** One move after the other, most of them with a fault at some point. */
  async #moves(
    draw: Draw,
    faults: readonly Fault[],
    { players }: RecordedSystem,
    watch: MoveWatch,
    air: Air,
  ): Promise<void> {
    const strikes: Promise<void>[] = [];
    while (!this.#over) {
      if (air.isThin) {
        await sleep(POLL_MS);
        continue;
      }
      const { room } = draw.of(players);
      const source = this.#world.hosts.find(({ hostId }) => hostId === room.host.hostId);
      const destination = draw.of(this.#world.hosts.filter((host) => host !== source));
      const aimed = draw.unit() < AIMED_SHARE;
      const moment = draw.of(MOMENTS);
      const aim: Aim = { host: draw.of([source, destination]) };
      const reached =
        moment === "ordered" ? Promise.resolve() : watch.reaches(room.roomId, moment, PHASE_TIMEOUT_MS);
      this.#count("room moved");
      const ordered = orderMove(draw.of(this.#world.urls), room.roomId, destination.hostId);
      if (aimed) {
        await reached;
        await sleep(draw.unit() * AIM_WITHIN_MS);
        this.#say(`${room.roomId} to ${destination.hostId}, at "${moment}":`);
        strikes.push(this.#strike(draw, faults, aim));
      }
      await Promise.race([ordered, sleep(PHASE_TIMEOUT_MS)]);
      await sleep(draw.unit() * MOVE_PAUSE_MS);
    }
    await Promise.all(strikes);
  }

  async #strike(draw: Draw, faults: readonly Fault[], aim: Aim): Promise<void> {
    const fault = draw.of(faults);
    if (fault === undefined) return;
    this.#count(fault.name);
    this.#say(`${fault.name}${aim.host === undefined ? "" : ` (${aim.host.hostId})`}`);
    await fault.run(draw, aim);
  }

  #count(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }
}

async function until(condition: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<boolean> {
  const endsAt = Date.now() + withinMs;
  while (Date.now() < endsAt) {
    if (await Promise.resolve(condition()).catch(() => false)) return true;
    await sleep(POLL_MS);
  }
  return false;
}
