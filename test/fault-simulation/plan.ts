/** What is done to a world and when: moves that are ordered, and faults, many of them in the middle of a move. */
import { Draw } from "../support/draw.js";

export const HOSTS = ["h0", "h1", "h2"] as const;
export const PLAYERS = ["p0", "p1", "p2"] as const;
/** Rooms are made by these in turn; whoever is left joins the first. */
export const ROOMS = 2;

/** Time for the world to come to itself before. */
export const BEGIN_MS = 4_000;
const SPAN_MS = 9_000;
export const END_MS = BEGIN_MS + SPAN_MS + 3_000;

export type Action = { atMs: number } & (
  | { type: "move"; room: number; toHostId: string }
  | { type: "crash broker"; forMs: number }
  /** Meanwhile its port does not refuse: the machine is off, or a proxy answers for it. */
  | { type: "end broker"; forMs: number }
  | { type: "crash host"; hostId: string; forMs: number; silent: boolean }
  | { type: "crash room host"; hostId: string }
  | { type: "stop"; machine: string; what: "agent" | "rooms" | "both"; forMs: number }
  | { type: "cut"; from: string; to: string; forMs: number }
  | { type: "reset"; which: number }
  | { type: "set clock"; machine: string; byMs: number }
  | { type: "disk full"; forMs: number }
);

const CLOCK_JUMP_MS = 3_600_000;
/** So soon after an order most of a move's phases are under way. */
const IN_A_MOVE_MS = 600;

/** A machine that is started anew takes longer than any lease; most brokers are back sooner. */
const AWAY_MS = { least: 20, most: 8_000 };

/**
 * @param disk with a store that fails, too
 * @param endings with a broker that is ended and comes back later, too
 */
export function plan(seed: number, { disk = false, endings = false }: Surroundings = {}): Action[] {
  const draw = new Draw(seed);
  const some = (least: number, most: number): number => least + draw.unit() * (most - least);
  const moves: Action[] = Array.from({ length: 2 + draw.below(5) }, () => ({
    atMs: some(BEGIN_MS, BEGIN_MS + SPAN_MS),
    type: "move",
    room: draw.below(ROOMS),
    toHostId: draw.of(HOSTS),
  }));
  const faults = Array.from({ length: 1 + draw.below(5) }, (): Action => {
    const inMove = draw.unit() < 0.7;
    const atMs = inMove ? draw.of(moves).atMs + some(0, IN_A_MOVE_MS) : some(BEGIN_MS, BEGIN_MS + SPAN_MS);
    return { atMs, ...fault(draw, some, disk) };
  });
  const ends = endings ? brokerEnds(new Draw(seed ^ 0x2545f491), moves) : [];
  return [...moves, ...faults, ...ends].sort((a, b) => a.atMs - b.atMs);
}

/** What can go wrong beside hosts, links and clocks. */
export interface Surroundings {
  disk?: boolean;
  /** Brokers are ended, too, and processes that were stopped read before their timers run. */
  endings?: boolean;
}

/** Drawn apart, so that a seed has the same other faults with and without them. */
function brokerEnds(draw: Draw, moves: readonly Action[]): Action[] {
  return Array.from({ length: 1 + draw.below(2) }, () => ({
    atMs:
      draw.unit() < 0.5 ? draw.of(moves).atMs + draw.unit() * IN_A_MOVE_MS : BEGIN_MS + draw.unit() * SPAN_MS,
    type: "end broker",
    forMs: AWAY_MS.least + draw.unit() * (AWAY_MS.most - AWAY_MS.least),
  }));
}

type Fault = Action extends infer A ? (A extends { atMs: number } ? Omit<A, "atMs"> : never) : never;

function fault(draw: Draw, some: (least: number, most: number) => number, disk: boolean): Fault {
  const hostId = draw.of(HOSTS);
  const machines = ["broker", ...HOSTS, ...PLAYERS];
  switch (draw.below(disk ? 9 : 8)) {
    case 0:
    case 1:
      return { type: "crash broker", forMs: some(20, 3_000) };
    case 2:
      return { type: "crash host", hostId, forMs: some(100, 6_000), silent: draw.unit() < 0.5 };
    case 3:
      return { type: "crash room host", hostId };
    case 4:
      return {
        type: "stop",
        machine: draw.of(["broker", ...HOSTS]),
        what: draw.of(["agent", "rooms", "both"] as const),
        forMs: some(50, 4_000),
      };
    case 5: {
      const from = draw.of(machines);
      const to = draw.of(machines.filter((machine) => machine !== from));
      return { type: "cut", from, to, forMs: some(50, 4_000) };
    }
    case 6:
      return { type: "reset", which: draw.below(1_000) };
    case 7:
      return { type: "set clock", machine: draw.of(["broker", ...HOSTS]), byMs: some(-1, 1) * CLOCK_JUMP_MS };
    default:
      return { type: "disk full", forMs: some(50, 3_000) };
  }
}

/** One line for a person. */
export function describe(action: Action): string {
  const { atMs, type, ...rest } = action;
  const details = Object.entries(rest).map(([name, value]) =>
    typeof value === "number" ? `${name} ${Math.round(value)}` : `${name} ${String(value)}`,
  );
  return `${atMs.toFixed(1)} ms ${type}: ${details.join(", ")}`;
}
