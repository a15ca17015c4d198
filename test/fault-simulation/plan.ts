/** What is done to a world and when: moves that are ordered, and faults, many of them in the middle of a move. */
import { Draw } from "../support/draw.js";

export const BROKERS = ["broker", "broker2"] as const;
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
  | { type: "crash broker"; machine?: string; forMs: number }
  /** Meanwhile its port does not refuse: the machine is off, or a proxy answers for it. */
  | { type: "end broker"; machine?: string; forMs: number }
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
export function plan(
  seed: number,
  { disk = false, endings = false, brokers = 1 }: Surroundings = {},
): Action[] {
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
  const all = [...moves, ...faults, ...ends];
  const several = brokers > 1 ? ofSeveral(new Draw(seed ^ 0x61c88647), all) : all;
  return several.sort((a, b) => a.atMs - b.atMs);
}

/** Just longer than a host may be silent, so that it is given up, or is not, while it is heard again. */
const HELD_BACK_MS = { least: 1_100, most: 2_600 };

/**
 * Faults meet either broker. A network holds back what a host says to both for about as long as they wait for it, and lets
 * one hear it before the other; brokers lose sight of what they share.
 */
function ofSeveral(draw: Draw, actions: readonly Action[]): Action[] {
  const some = (least: number, most: number): number => least + draw.unit() * (most - least);
  const met = actions.map((action) => {
    if (draw.unit() < 0.5) return action;
    const other = JSON.stringify(action).replaceAll('"broker"', '"broker2"');
    const changed = JSON.parse(other) as Action;
    const isBroker = changed.type === "crash broker" || changed.type === "end broker";
    return isBroker ? { ...changed, machine: "broker2" } : changed;
  });
  const held = Array.from({ length: 1 + draw.below(3) }, () => {
    const hostId = draw.of(HOSTS);
    const atMs = some(BEGIN_MS, BEGIN_MS + SPAN_MS);
    const forMs = some(HELD_BACK_MS.least, HELD_BACK_MS.most);
    const ways = draw.unit() < 0.5 ? [false] : [false, true];
    return BROKERS.flatMap((machine) =>
      ways.map((back): Action => {
        const cut = back ? { from: machine, to: hostId } : { from: hostId, to: machine };
        return { atMs: atMs + some(0, 150), type: "cut", ...cut, forMs: forMs + some(0, 400) };
      }),
    );
  });
  const cutOff = Array.from({ length: draw.below(2) }, (): Action => {
    const machine = draw.of(BROKERS);
    const cut = draw.unit() < 0.5 ? { from: machine, to: "redis" } : { from: "redis", to: machine };
    return { atMs: some(BEGIN_MS, BEGIN_MS + SPAN_MS), type: "cut", ...cut, forMs: some(200, 3_000) };
  });
  return [...met, ...held.flat(), ...cutOff];
}

/** What can go wrong beside hosts, links and clocks. */
export interface Surroundings {
  disk?: boolean;
  /** Brokers are ended, too, and processes that were stopped read before their timers run. */
  endings?: boolean;
  /** Two share a Redis; one has a store of its own. */
  brokers?: 1 | 2;
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
