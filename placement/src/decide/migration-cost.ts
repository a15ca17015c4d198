/** What a move costs its players, learned from the receipts of moves of the same mechanism and host pair. */
import { quantile } from "../latency/quantile.js";
import { freezeWeightOf, type MovePrice } from "./calm.js";
import type { PlacementParameters } from "./types.js";

export interface FinishedMove {
  mechanism: string;
  fromHostId: string;
  toHostId: string;
  freezeMs: number;
  degradedMs: number;
  bytes: number;
}

/** A move that is thought of. */
export interface ExpectedMove {
  /** What the room runs in: its rooms are expected to move as the last of them did. */
  carrier: string;
  fromHostId: string;
  toHostId: string;
  players: number;
  /** What they do just now, 0 to 1; undefined if unknown. */
  activity?: number | undefined;
}

/** Weight of the newest receipt: the cost of a path changes slowly, one outlier should not rule. */
const LEARNING_RATE = 0.3;
const BYTES_PER_MB = 1_000_000;
/** Receipts of a pair and mechanism whose freezes are remembered. */
const REMEMBERED = 32;
/** What most players of most moves felt, not what they felt in the mean. */
const FELT = 0.95;
/** Up to so long a freeze costs its length; beyond, the square of it: one long interruption is worse than several short. */
const UNNOTICED_MS = 50;
/** How lost rooms come back; no room is moved in this way, so it says nothing of moves. */
const RESCUES: ReadonlySet<string> = new Set(["restore", "standby"]);

interface Learned {
  /** Newest last. */
  freezesMs: number[];
  degradedMs: number;
  bytes: number;
}

/** What is believed of the price of moves. */
export interface MoveCosts {
  /** @param carrier of the room that moved, if that is known */
  learn(outcome: FinishedMove, carrier?: string): void;
  price(move: ExpectedMove): MovePrice;
}

export class MigrationCosts implements MoveCosts {
  readonly #parameters: PlacementParameters;
  readonly #pairs = new Map<string, Learned>();
  /** By mechanism, of all pairs. */
  readonly #all = new Map<string, Learned>();
  /** By carrier: how its rooms moved last. */
  readonly #mechanisms = new Map([["process", "handoff"]]);

  constructor(parameters: PlacementParameters) {
    this.#parameters = parameters;
  }

  learn(outcome: FinishedMove, carrier?: string): void {
    const { mechanism } = outcome;
    if (RESCUES.has(mechanism)) return;
    const key = pairKey(mechanism, outcome.fromHostId, outcome.toHostId);
    this.#pairs.set(key, blend(this.#pairs.get(key), outcome));
    this.#all.set(mechanism, blend(this.#all.get(mechanism), outcome));
    if (carrier !== undefined) this.#mechanisms.set(carrier, mechanism);
  }

  /**
   * D = N (c1 felt + c2 degraded) + c3 bytes, in ms.player.s (felt and degraded are in s here): felt is the p95 of what
   * receipts of the pair and mechanism say, convex in its length (Xu & Claypool, MMSys 2024: the size of an
   * interruption hurts, its frequency hardly does), and less or more of that by what the players do.
   */
  price({ carrier, fromHostId, toHostId, players, activity }: ExpectedMove): MovePrice {
    const p = this.#parameters;
    const mechanism = this.#mechanisms.get(carrier) ?? "";
    const known = this.#pairs.get(pairKey(mechanism, fromHostId, toHostId)) ?? this.#all.get(mechanism);
    const freezeMs = known === undefined ? p.initialFreezeMs : feltOf(known.freezesMs);
    const degradedMs = known?.degradedMs ?? p.initialDegradedMs;
    const bytes = known?.bytes ?? 0;
    const costAt = (freezeWeight: number): number =>
      players * (p.freezeWeight * freezeWeight * convexMs(freezeMs) + p.degradedWeight * degradedMs) +
      (p.bytesWeight * bytes) / BYTES_PER_MB;
    return { cost: costAt(freezeWeightOf(activity)), calmCost: costAt(freezeWeightOf(0)), freezeMs };
  }
}

const pairKey = (mechanism: string, from: string, to: string): string => `${mechanism} ${from} ${to}`;

/** A freeze as it is felt, ms. */
const convexMs = (freezeMs: number): number => freezeMs * Math.max(1, freezeMs / UNNOTICED_MS);

const feltOf = (freezesMs: readonly number[]): number =>
  quantile(
    [...freezesMs].sort((a, b) => a - b),
    FELT,
  );

function blend(before: Learned | undefined, { freezeMs, degradedMs, bytes }: FinishedMove): Learned {
  if (before === undefined) return { freezesMs: [freezeMs], degradedMs, bytes };
  const mix = (old: number, now: number): number => old + LEARNING_RATE * (now - old);
  return {
    freezesMs: [...before.freezesMs, freezeMs].slice(-REMEMBERED),
    degradedMs: mix(before.degradedMs, degradedMs),
    bytes: mix(before.bytes, bytes),
  };
}
