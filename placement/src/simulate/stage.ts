/**
 * What a simulation plays on: which nodes are hosts, who played before and trained their coordinates, the rooms, and
 * what each policy measures. All from the seed, so that one room can be played again without the others.
 */
import { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import { DEFAULT_PARAMETERS, type HostView, type PlacementParameters } from "../decide/types.js";
import type { RoomDemand } from "../decide/work.js";
import { LatencyMap } from "../latency/latency-map.js";
import { checkSlices, type RttMatrix } from "../matrix/rtt-matrix.js";
import { type Random, seededRandom } from "../random/random.js";
import {
  argmin,
  type Baseline,
  chooseBaseline,
  coreSelection,
  type Follower,
  type Measured,
  requestRegion,
} from "./baselines.js";
import { type EngineOptions, EngineRoom, type PingSource } from "./engine-player.js";
import { SimulatedMachines } from "./machines.js";
import { checkParameters, type SimulationParameters } from "./parameters.js";
import { ABSENT, makeTrace, type RoomTrace, SIMULATED_SCENARIOS } from "./scenario.js";
import { type CostTable, costTable, sliceAt, trueScoreMs } from "./truth.js";

const MS_PER_S = 1_000;
/** Hosts each earlier player measured. */
const TRAINING_PROBES = 9;
const TRAINING_PASSES = 100;
const LEAST_PING_SHARE = 0.2;

export class SimulationStage {
  readonly slices: readonly RttMatrix[];
  readonly parameters: SimulationParameters;
  /** Nodes by index of the host. */
  readonly hosts: readonly number[];
  /** Undefined where rooms have no work. */
  readonly machines: SimulatedMachines | undefined;
  readonly #before: readonly number[];
  readonly #fresh: readonly number[];
  readonly #first: RttMatrix;

  /** @throws SimulationError, MatrixError */
  constructor(slices: readonly RttMatrix[], parameters: SimulationParameters) {
    checkSlices(slices);
    const [first] = slices;
    if (first === undefined) throw new RangeError("no matrix");
    checkParameters(parameters, first.size);
    this.slices = slices;
    this.parameters = parameters;
    this.#first = first;
    const random = seededRandom(parameters.seed);
    const nodes = random.shuffled(Array.from({ length: first.size }, (_, i) => i));
    this.hosts = nodes.slice(0, parameters.hosts);
    const { work } = parameters;
    this.machines = work && new SimulatedMachines(parameters, work);
    const players = nodes.slice(parameters.hosts);
    // Those who played before train the hosts' coordinates; rooms are of others, where there are enough.
    const enough = players.length >= 4 * parameters.maxPlayers;
    this.#before = enough ? players.filter((_, i) => i % 2 === 0) : players;
    this.#fresh = enough ? players.filter((_, i) => i % 2 === 1) : players;
  }

  /** Nodes that players of simulated rooms are at. */
  get players(): readonly number[] {
    return this.#fresh;
  }

  trace(room: number): RoomTrace {
    const { parameters: p } = this;
    const scenario =
      p.scenario === "mixed"
        ? (SIMULATED_SCENARIOS[room % SIMULATED_SCENARIOS.length] ?? "regional")
        : p.scenario;
    return makeTrace(
      { ...p, matrix: this.#first, nodes: this.#fresh, scenario },
      seededRandom(p.seed * 7919 + room),
    );
  }

  truth(trace: RoomTrace): CostTable {
    return costTable(trace, this.hosts, this.slices, this.machines);
  }

  /** J of a host at the start of a room, from the raw matrix, ms. */
  startScoreMs(trace: RoomTrace, host: number): number {
    const networkMs = trueScoreMs(this.#first, trace.nodes.subarray(0, trace.seats), this.hosts[host] ?? 0);
    return networkMs + (this.machines?.workMs(host, 0) ?? 0);
  }

  bestStart(trace: RoomTrace): number {
    return argmin(this.hosts.length, (h) => this.startScoreMs(trace, h));
  }

  /** The hosts with all that earlier players have measured. */
  trained(): HostTable {
    const { noise, seed } = this.parameters;
    const { machines } = this;
    const views = this.hosts.map(
      (_, h): HostView => ({
        hostId: simulatedHostId(h),
        state: "active",
        capacityRooms: Number.POSITIVE_INFINITY,
        rooms: 0,
        get load() {
          return machines?.load(h, machines.step) ?? 0;
        },
        carriers: ["process"],
        region: "",
        ...(machines !== undefined && { speed: machines.speed(h) }),
      }),
    );
    const map = new LatencyMap();
    for (const { hostId } of views) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
    const random = seededRandom(seed + 1);
    for (const node of this.#before) {
      const playerId = `before ${node}`;
      map.upsertPlayer({ playerId });
      for (const h of random.shuffled(views.map((_, index) => index)).slice(0, TRAINING_PROBES)) {
        const rttMs = noisy(
          this.#first.rttMs[node * this.#first.size + (this.hosts[h] ?? 0)] ?? 0,
          noise,
          random,
        );
        map.addProbe({ playerId, hostId: simulatedHostId(h), atMs: 0, rttMs });
      }
    }
    map.refine(TRAINING_PASSES);
    return new HostTable(map, views);
  }

  /** What a player of this room measures at a step; every policy meets the same noise from the start. */
  pings(room: number): (step: number) => PingSource {
    const { noise, seed, steps } = this.parameters;
    const random = seededRandom(seed * 104_729 + room);
    return (step) => {
      const { rttMs, size } = sliceAt(this.slices, step, steps);
      return (node, h) => noisy(rttMs[node * size + (this.hosts[h] ?? 0)] ?? 0, noise, random);
    };
  }

  /**
   * The engine in a room, to be led through it step by step.
   * @param work that it knows the room to have
   * @param more that it knows of the room: whom it talks with, what passes between its players
   */
  engine(
    room: number,
    hosts: HostTable,
    parameters: Partial<PlacementParameters>,
    work: RoomDemand | undefined,
    more: Pick<EngineOptions, "ties" | "traffic"> = {},
  ): EngineRoom {
    const { migrationCost, probes } = this.parameters;
    const costs: MoveCosts = {
      price: () => ({ cost: migrationCost * MS_PER_S, calmCost: migrationCost * MS_PER_S, freezeMs: 0 }),
      learn: () => undefined,
    };
    return new EngineRoom({
      hosts,
      parameters: judged(parameters),
      costs,
      probes,
      work,
      roomId: `r${room}`,
      ...more,
    });
  }

  /** Greedy and the followers choose anew; the others choose once, at the start. */
  baselinePath(
    policy: Baseline | Follower | "greedy" | "never" | "fastest" | "lowest-load",
    room: number,
    trace: RoomTrace,
  ): Int32Array {
    const hosts = this.hosts.length;
    const { machines } = this;
    const throughout = (host: number): Int32Array => new Int32Array(trace.steps).fill(host);
    if (policy === "fastest") return throughout(argmin(hosts, (h) => -(machines?.speed(h).oneCore ?? 0)));
    if (policy === "lowest-load") return throughout(argmin(hosts, (h) => machines?.load(h, 0) ?? 0));
    const pingAt = this.pings(room);
    const measure = (step: number): Measured => {
      const ping = pingAt(step);
      const present = [...nodesAt(trace, step)].filter((node) => node !== ABSENT);
      const rttMs = new Float64Array(present.length * hosts);
      present.forEach((node, i) => {
        for (let h = 0; h < hosts; h++) rttMs[i * hosts + h] = ping(node, h);
      });
      return { players: present.length, hosts, rttMs };
    };
    const lowestScore = (step: number): number => {
      const m = measure(step);
      const one: RttMatrix = { size: hosts, labels: [], rttMs: m.rttMs };
      const everyone = Array.from({ length: m.players }, (_, i) => i);
      return argmin(hosts, (h) => trueScoreMs(one, everyone, h) + (machines?.workMs(h, step) ?? 0));
    };
    if (policy === "greedy") return Int32Array.from({ length: trace.steps }, (_, step) => lowestScore(step));
    if (policy === "core-selection") {
      let core: number | undefined;
      return Int32Array.from({ length: trace.steps }, (_, step) => {
        const changed = step > 0 && !sameNodes(nodesAt(trace, step - 1), nodesAt(trace, step));
        core = coreSelection(measure(step), core, changed);
        return core;
      });
    }
    if (policy === "request-region") {
      // Each step one of those present writes.
      const random = seededRandom(this.parameters.seed * 31 + room);
      return Int32Array.from({ length: trace.steps }, (_, step) => {
        const m = measure(step);
        return m.players === 0 ? 0 : requestRegion(m, random.below(m.players));
      });
    }
    const start = policy === "never" ? lowestScore(0) : chooseBaseline(policy, measure(0));
    return throughout(start);
  }
}

/** J alone is judged, so no caps; measurements are made before each decision, so none is waited for. */
const judged = (parameters: Partial<PlacementParameters>): PlacementParameters => ({
  ...DEFAULT_PARAMETERS,
  capsMs: [],
  minDwellMs: 0,
  confirmedShare: 0,
  ...parameters,
});

export const simulatedHostId = (host: number): string => `h${String(host).padStart(4, "0")}`;

const sameNodes = (a: Int32Array, b: Int32Array): boolean => a.every((node, seat) => node === b[seat]);

/** The node of each seat at a step, or ABSENT. */
export const nodesAt = ({ nodes, seats }: RoomTrace, step: number): Int32Array =>
  nodes.subarray(step * seats, (step + 1) * seats);

function noisy(rttMs: number, noise: number, random: Random): number {
  return noise === 0 ? rttMs : rttMs * Math.max(LEAST_PING_SHARE, 1 + noise * random.normal());
}
