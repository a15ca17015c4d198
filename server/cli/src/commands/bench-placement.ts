/** `centroid bench placement`: how long one evaluation of a room takes, with a fleet's worth of rooms in memory. */
import {
  DEFAULT_PARAMETERS,
  DEFAULT_PROBING,
  HostTable,
  LatencyMap,
  MigrationCosts,
  RoomPolicy,
  type RoomView,
} from "@centroid/placement";
import { type Command, InvalidArgumentError } from "commander";
import { print, printJson, table } from "../terminal/output.js";

/** Players of one room: the size the figures are stated for. */
const PLAYERS_PER_ROOM = 16;
const CITIES = 150;
const DETOUR = 0.3;
const TRAINING_HOSTS = 6;
const REFINE_PASSES = 5;
/** What is measured is a fleet that has run for a while: its coordinates have settled. */
const SETTLE_PASSES = 60;
/** Pings to each landmark before anything is measured: medians have settled, too. */
const PINGS = 12;
/** A ping is longer than the way by at most so much. */
const JITTER = 0.03;
const US_PER_S = 1_000_000;
const BYTES_PER_KB = 1_000;
const US_PER_MS = 1_000;
const MS_PER_S = 1_000;
const BYTES_PER_MB = 1_000_000;

interface Flags {
  rooms: number;
  hosts: number;
  players: number;
  seconds: number;
  json?: boolean;
}

interface Figures {
  rooms: number;
  hosts: number;
  players: number;
  playersPerRoom: number;
  evaluations: number;
  evaluationsPerSecond: number;
  p50Us: number;
  p99Us: number;
  /** Pings of players to hosts they have measured, taken in, and their room evaluated after each. */
  events: number;
  eventsPerSecond: number;
  /** Of processor time: what other programs on the machine take does not count. */
  eventsPerCpuSecond: number;
  /** The ping alone. */
  probeP50Us: number;
  probeP99Us: number;
  /** The evaluation right after it. */
  evaluationAfterProbeP50Us: number;
  /** What the latency map keeps of a player. */
  kbPerPlayer: number;
  rssMb: number;
}

export function registerBenchPlacement(bench: Command): void {
  bench
    .command("placement")
    .description("measure room evaluations per second, and pings per second with their rooms evaluated")
    .option("--rooms <n>", "rooms in memory", count, 100_000)
    .option("--hosts <n>", "hosts each evaluation ranks", count, 1_000)
    .option("--players <n>", "players that rooms draw on; up to 16,000 each is in one room", count, 16_000)
    .option("--seconds <n>", "length of the measurement", count, 5)
    .option("--json", "machine-readable output")
    .action((flags: Flags) => {
      const figures = measure(flags);
      if (flags.json === true) printJson(figures);
      else
        print(
          table(
            ["FIGURE", "VALUE"],
            Object.entries(figures).map(([name, value]) => [name, String(Math.round(value))]),
          ),
        );
    });
}

function measure({ rooms, hosts, seconds, ...flags }: Flags): Figures {
  const map = new LatencyMap();
  const hostPlaces = Array.from({ length: hosts }, (_, h) => placeNear(h % CITIES, h));
  const table = new HostTable(map);
  hostPlaces.forEach((_, h) => {
    const hostId = `h${h}`;
    map.upsertHost({ hostId, latitude: 0, longitude: 0 });
    table.set({
      hostId,
      state: "active",
      capacityRooms: rooms,
      rooms: 0,
      load: 0,
      carriers: ["process"],
      region: "",
    });
  });
  const players = Math.min(flags.players, rooms * PLAYERS_PER_ROOM);
  // Players of one room are of a few cities, as people who play together are.
  const playerPlaces = Array.from({ length: players }, (_, p) =>
    placeNear((Math.floor(p / PLAYERS_PER_ROOM) + 7 * (p % 3)) % CITIES, p * 3 + 1),
  );
  const probe = (p: number, h: number, jitter = 0): void => {
    const from = playerPlaces[p] ?? ORIGIN;
    const to = hostPlaces[h] ?? ORIGIN;
    const direct = Math.hypot(from.x - to.x, from.y - to.y) + from.accessMs + to.accessMs;
    const rttMs = direct * (1 + DETOUR * fraction(p * 17 + h)) * (1 + jitter);
    map.addProbe({ playerId: `p${p}`, hostId: `h${h}`, atMs: 0, rttMs });
  };
  const beforeBytes = usedBytes();
  for (let p = 0; p < players; p++) {
    map.upsertPlayer({ playerId: `p${p}` });
    for (let i = 0; i < TRAINING_HOSTS; i++) probe(p, Math.floor(fraction(p * 31 + i) * hosts));
  }
  map.refine(REFINE_PASSES);
  const landmarks = map.landmarks(DEFAULT_PROBING.standing).map((hostId) => Number(hostId.slice(1)));
  for (let p = 0; p < players; p++)
    for (const h of landmarks)
      for (let ping = 0; ping < PINGS; ping++) probe(p, h, JITTER * fraction(p * 7 + h * 13 + ping * 29));
  map.refine(SETTLE_PASSES);
  const kbPerPlayer = (usedBytes() - beforeBytes) / players / BYTES_PER_KB;
  const costs = new MigrationCosts(DEFAULT_PARAMETERS);
  const policies = Array.from({ length: rooms }, () => new RoomPolicy({}, costs));
  // Of those that nobody pings the map goes over what is remembered for nothing: every player must be in a room that runs.
  const running = Math.min(rooms, Math.max(1, Math.floor(players / PLAYERS_PER_ROOM)));
  const stride = Math.max(1, Math.floor(rooms / running));
  // Rooms that run share no players.
  const playerOf = (room: number, i: number): number =>
    (Math.floor(room / stride) * PLAYERS_PER_ROOM + i) % players;
  const views = Array.from({ length: rooms }, (_, room): RoomView => {
    const playerIds = Array.from({ length: PLAYERS_PER_ROOM }, (_, i) => `p${playerOf(room, i)}`);
    return { roomId: `r${room}`, hostId: undefined, playerIds, carrier: "process" };
  });
  // Each room that is looked at is placed first; what is measured is the evaluation of a room that runs.
  const evaluate = (room: number, atMs: number): void => {
    const view = views[room];
    const policy = policies[room];
    if (view === undefined || policy === undefined) return;
    const { toHostId, verdict } = policy.evaluate(view, table, atMs);
    if (verdict === "place") view.hostId = toHostId;
  };
  for (let turn = 0; turn < 2; turn++) for (let i = 0; i < running; i++) evaluate(i * stride, turn);
  const timesUs = timed(seconds, running, (turn) => evaluate((turn % running) * stride, 2 + turn));
  const probesUs: number[] = [];
  const afterUs: number[] = [];
  const cpu = process.cpuUsage();
  const eventsUs = timed(seconds, 1, (turn) => {
    const start = performance.now();
    const room = (turn % running) * stride;
    probe(
      playerOf(room, turn % PLAYERS_PER_ROOM),
      landmarks[turn % landmarks.length] ?? 0,
      JITTER * fraction(turn),
    );
    const taken = performance.now();
    evaluate(room, 2 + timesUs.length + turn);
    probesUs.push((taken - start) * US_PER_MS);
    afterUs.push((performance.now() - taken) * US_PER_MS);
  });
  const { user, system } = process.cpuUsage(cpu);
  return {
    rooms,
    hosts,
    players,
    playersPerRoom: PLAYERS_PER_ROOM,
    evaluations: timesUs.length,
    evaluationsPerSecond: perSecond(timesUs),
    p50Us: at(timesUs, 0.5),
    p99Us: at(timesUs, 0.99),
    events: eventsUs.length,
    eventsPerSecond: perSecond(eventsUs),
    eventsPerCpuSecond: (eventsUs.length * US_PER_S) / (user + system),
    probeP50Us: at(probesUs, 0.5),
    probeP99Us: at(probesUs, 0.99),
    evaluationAfterProbeP50Us: at(afterUs, 0.5),
    kbPerPlayer,
    rssMb: process.memoryUsage().rss / BYTES_PER_MB,
  };
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** How long each turn took, us. */
function timed(seconds: number, least: number, turn: (index: number) => void): number[] {
  const timesUs: number[] = [];
  const end = performance.now() + seconds * MS_PER_S;
  for (let index = 0; performance.now() < end || index < least; index++) {
    const start = performance.now();
    turn(index);
    timesUs.push((performance.now() - start) * US_PER_MS);
  }
  return timesUs;
}

const perSecond = (timesUs: readonly number[]): number =>
  timesUs.length / (timesUs.reduce((sum, us) => sum + us, 0) / (US_PER_MS * MS_PER_S));

function at(timesUs: readonly number[], share: number): number {
  const sorted = Float64Array.from(timesUs).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

interface Point {
  x: number;
  y: number;
  accessMs: number;
}
const ORIGIN: Point = { x: 0, y: 0, accessMs: 0 };

/** Reproducible and spread evenly (Weyl 1916). */
const fraction = (n: number): number => (n * 0.618_033_988_749_895 + n * n * 0.414_213_562_373_095) % 1;

function placeNear(city: number, n: number): Point {
  return {
    x: 200 * fraction(city + 1) + 3 * fraction(n),
    y: 200 * fraction(city * 3 + 2) + 3 * fraction(n + 5),
    accessMs: 1 + 6 * fraction(n + 11),
  };
}

function count(value: string): number {
  const parsed = Number(value);
  if (!Number.isInteger(parsed) || parsed < 1)
    throw new InvalidArgumentError(`"${value}" is not a whole number of at least 1.`);
  return parsed;
}
