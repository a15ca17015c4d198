/** What a move costs its players, learned from the receipts of moves of the same mechanism and host pair. */
import type { PlacementParameters } from "./types.js";

export interface FinishedMove {
  mechanism: string;
  fromHostId: string;
  toHostId: string;
  freezeMs: number;
  degradedMs: number;
  bytes: number;
}

/** Weight of the newest receipt: the cost of a path changes slowly, one outlier should not rule. */
const LEARNING_RATE = 0.3;
const BYTES_PER_MB = 1_000_000;

interface Mean {
  freezeMs: number;
  degradedMs: number;
  bytes: number;
}

/** What is believed of the price of moves. */
export interface MoveCosts {
  learn(outcome: FinishedMove): void;
  /** In ms.player.ms. */
  predict(mechanism: string, fromHostId: string, toHostId: string, players: number): number;
}

export class MigrationCosts implements MoveCosts {
  readonly #parameters: PlacementParameters;
  readonly #pairs = new Map<string, Mean>();
  #all: Mean | undefined;

  constructor(parameters: PlacementParameters) {
    this.#parameters = parameters;
  }

  learn(outcome: FinishedMove): void {
    const key = pairKey(outcome.mechanism, outcome.fromHostId, outcome.toHostId);
    this.#pairs.set(key, blend(this.#pairs.get(key), outcome));
    this.#all = blend(this.#all, outcome);
  }

  /** D = N (c1 freeze + c2 degraded) + c3 bytes, in ms.player.s (freeze and degraded are in s here). */
  predict(mechanism: string, fromHostId: string, toHostId: string, players: number): number {
    const p = this.#parameters;
    const known = this.#pairs.get(pairKey(mechanism, fromHostId, toHostId)) ?? this.#all;
    const freezeMs = known?.freezeMs ?? p.initialFreezeMs;
    const degradedMs = known?.degradedMs ?? p.initialDegradedMs;
    const bytes = known?.bytes ?? 0;
    return (
      players * (p.freezeWeight * freezeMs + p.degradedWeight * degradedMs) +
      (p.bytesWeight * bytes) / BYTES_PER_MB
    );
  }
}

const pairKey = (mechanism: string, from: string, to: string): string => `${mechanism} ${from} ${to}`;

function blend(before: Mean | undefined, { freezeMs, degradedMs, bytes }: Mean): Mean {
  if (before === undefined) return { freezeMs, degradedMs, bytes };
  const mix = (old: number, now: number): number => old + LEARNING_RATE * (now - old);
  return {
    freezeMs: mix(before.freezeMs, freezeMs),
    degradedMs: mix(before.degradedMs, degradedMs),
    bytes: mix(before.bytes, bytes),
  };
}
