/** What a simulation is asked for. */
import type { RoomDemand } from "../decide/work.js";
import { BASELINES, FOLLOWERS } from "./baselines.js";
import type { SimulatedTrace } from "./scenario.js";

export const POLICIES = [...BASELINES, ...FOLLOWERS, "greedy", "never", "centroid", "oracle"] as const;

/**
 * Where rooms have work: the fastest host, the one that does least, and the engine when it knows of latency alone. All
 * but the last are given the hosts' speed and load at the start.
 */
export const WORK_POLICIES = ["fastest", "lowest-load", "latency-only"] as const;
export type PolicyName = (typeof POLICIES)[number] | (typeof WORK_POLICIES)[number];

export interface SimulationParameters {
  hosts: number;
  rooms: number;
  minPlayers: number;
  maxPlayers: number;
  /** `mixed` takes one after the other. */
  scenario: SimulatedTrace | "mixed";
  seed: number;
  policies: readonly PolicyName[];
  /** ms.player.step per move. */
  migrationCost: number;
  steps: number;
  /** Relative standard deviation of a ping. */
  noise: number;
  /** Confirming probes per player and place. */
  probes: number;
  /** Of every room; rooms compute nothing if not given, and hosts are then all alike. */
  work?: RoomDemand;
  /** Hosts' speed of one core is drawn between these, as many of twice a speed as of half of it. */
  speeds: readonly [number, number];
  cores: readonly [number, number];
  /** Share of a host that other things take; drawn anew for each sixth of the steps. */
  loads: readonly [number, number];
}

export const DEFAULT_SIMULATION: SimulationParameters = {
  hosts: 24,
  rooms: 100,
  minPlayers: 4,
  maxPlayers: 16,
  scenario: "mixed",
  seed: 1,
  policies: POLICIES,
  migrationCost: 1_500,
  steps: 600,
  noise: 0.05,
  probes: 4,
  speeds: [0.5, 4],
  cores: [1, 16],
  loads: [0, 0.8],
};

export class SimulationError extends Error {
  readonly code = "SIMULATION_INVALID";
}

/** @throws SimulationError on a number that makes no simulation */
export function checkParameters(p: SimulationParameters, nodes: number): void {
  const whole = (name: keyof SimulationParameters, least: number): void => {
    const value = p[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < least)
      throw new SimulationError(
        `${name} is ${String(value)}; it must be a whole number of at least ${least}`,
      );
  };
  whole("hosts", 1);
  whole("rooms", 1);
  whole("steps", 1);
  whole("minPlayers", 1);
  whole("maxPlayers", p.minPlayers);
  whole("probes", 0);
  whole("seed", 0);
  if (!(p.migrationCost >= 0))
    throw new SimulationError(`migrationCost is ${p.migrationCost}; it must be at least 0`);
  if (!(p.noise >= 0 && p.noise <= 1))
    throw new SimulationError(`noise is ${p.noise}; it must be between 0 and 1`);
  checkWork(p);
  if (p.hosts >= nodes)
    throw new SimulationError(
      `${p.hosts} hosts leave none of the matrix's ${nodes} nodes to players; take fewer hosts`,
    );
}

function checkWork({ work, policies, speeds, cores, loads }: SimulationParameters): void {
  const needing = WORK_POLICIES.find((policy) => policies.includes(policy));
  if (work === undefined && needing !== undefined)
    throw new SimulationError(`policy ${needing} needs rooms that have work`);
  if (work !== undefined && !(work.msPerRequest >= 0 && work.perSecond >= 0))
    throw new SimulationError("work must be at least 0 ms per request and 0 requests a second");
  const between = (
    name: string,
    [low, high]: readonly [number, number],
    least: number,
    most: number,
  ): void => {
    if (!(low >= least && high >= low && high <= most))
      throw new SimulationError(`${name} are ${low}-${high}; they must lie between ${least} and ${most}`);
  };
  between("speeds", speeds, 0.001, 1_000);
  between("cores", cores, 1, 4_096);
  between("loads", loads, 0, 1);
}
