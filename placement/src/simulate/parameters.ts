/** What a simulation is asked for. */
import { BASELINES, FOLLOWERS } from "./baselines.js";
import type { SimulatedTrace } from "./scenario.js";

export const POLICIES = [...BASELINES, ...FOLLOWERS, "greedy", "never", "centroid", "oracle"] as const;
export type PolicyName = (typeof POLICIES)[number];

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
  if (p.hosts >= nodes)
    throw new SimulationError(
      `${p.hosts} hosts leave none of the matrix's ${nodes} nodes to players; take fewer hosts`,
    );
}
