/** Who is in a room, and where, step by step: the five kinds of play a room may see. */
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import type { Random } from "../random/random.js";

export const SIMULATED_SCENARIOS = ["regional", "follow-the-sun", "commute", "churn", "crowd"] as const;
export type SimulatedTrace = (typeof SIMULATED_SCENARIOS)[number];

/** A seat without a player. */
export const ABSENT = -1;

/** `nodes[step * seats + seat]` is the node a player is at, or ABSENT. */
export interface RoomTrace {
  scenario: SimulatedTrace;
  seats: number;
  steps: number;
  nodes: Int32Array;
}

export interface TraceOptions {
  matrix: RttMatrix;
  /** Nodes that players may be at. */
  nodes: readonly number[];
  scenario: SimulatedTrace;
  minPlayers: number;
  maxPlayers: number;
  steps: number;
}

/** A region is this share of all player nodes, the nearest to its middle. */
const REGION_SHARE = 0.2;
/** Of a regional room, so many players are from anywhere. */
const STRANGERS = 0.2;
/** Chance per step that somebody joins or leaves a churning room. */
const CHURN_RATE = 0.03;
const SUN_PHASES = 3;

export function makeTrace(o: TraceOptions, random: Random): RoomTrace {
  const count = o.minPlayers + random.below(o.maxPlayers - o.minPlayers + 1);
  const anywhere = (): number => pick(o.nodes, random);
  const region = (): (() => number) => {
    const near = nearest(o.matrix, anywhere(), o.nodes);
    return () => (random.next() < STRANGERS ? anywhere() : pick(near, random));
  };
  const seats = o.scenario === "churn" || o.scenario === "crowd" ? o.maxPlayers : count;
  const trace: RoomTrace = {
    scenario: o.scenario,
    seats,
    steps: o.steps,
    nodes: new Int32Array(o.steps * seats).fill(ABSENT),
  };
  /** A player sits somewhere from one step until before another. */
  const sit = (seat: number, from: number, until: number, node: number): void => {
    for (let step = from; step < Math.min(until, o.steps); step++) trace.nodes[step * seats + seat] = node;
  };
  const sometime = (): number => random.below(o.steps);

  switch (o.scenario) {
    case "regional": {
      const from = region();
      for (let seat = 0; seat < seats; seat++) sit(seat, 0, o.steps, from());
      break;
    }
    case "follow-the-sun":
      // Each phase has a region of its own; a seat changes hands some time in the middle half of a phase.
      for (let phase = 0; phase < SUN_PHASES; phase++) {
        const from = region();
        const length = o.steps / SUN_PHASES;
        for (let seat = 0; seat < seats; seat++) {
          const start = phase === 0 ? 0 : Math.floor(length * (phase - 0.25 + random.next() * 0.5));
          sit(seat, start, o.steps, from());
        }
      }
      break;
    case "commute":
      // Everyone travels once; half come back.
      for (let seat = 0; seat < seats; seat++) {
        const home = anywhere();
        const there = sometime();
        const back = random.next() < 0.5 ? there + random.below(Math.max(1, o.steps - there)) : o.steps;
        sit(seat, 0, o.steps, home);
        sit(seat, there, back, anywhere());
      }
      break;
    case "churn": {
      const from = region();
      const taken = new Array<boolean>(seats).fill(false);
      for (let seat = 0; seat < count; seat++) {
        taken[seat] = true;
        sit(seat, 0, o.steps, from());
      }
      for (let step = 1; step < o.steps; step++) {
        if (random.next() >= CHURN_RATE) continue;
        const seat = random.below(seats);
        const present = taken.filter(Boolean).length;
        if (taken[seat] === true && present <= o.minPlayers) continue;
        sit(seat, step, o.steps, taken[seat] === true ? ABSENT : from());
        taken[seat] = taken[seat] !== true;
      }
      break;
    }
    case "crowd": {
      const from = region();
      const crowd = region();
      const few = Math.min(count, o.minPlayers);
      for (let seat = 0; seat < few; seat++) sit(seat, 0, o.steps, from());
      for (let seat = few; seat < seats; seat++) {
        const arrives = Math.floor(o.steps * (0.25 + random.next() * 0.1));
        sit(seat, arrives, Math.floor(o.steps * (0.65 + random.next() * 0.1)), crowd());
      }
      break;
    }
    default: {
      const never: never = o.scenario;
      throw new RangeError(`unknown scenario ${String(never)}`);
    }
  }
  return trace;
}

function nearest(matrix: RttMatrix, middle: number, nodes: readonly number[]): number[] {
  const rtt = (node: number): number => matrix.rttMs[middle * matrix.size + node] ?? 0;
  return [...nodes]
    .sort((a, b) => rtt(a) - rtt(b) || a - b)
    .slice(0, Math.max(1, Math.ceil(nodes.length * REGION_SHARE)));
}

function pick(nodes: readonly number[], random: Random): number {
  const node = nodes[random.below(nodes.length)];
  if (node === undefined) throw new RangeError("no nodes to pick from");
  return node;
}
