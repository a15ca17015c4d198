/**
 * How long a container stands still in its move, by the memory it has to carry and what earlier moves of this host took;
 * and which way of moving it keeps that shortest.
 */

/** Ways of moving: with all its memory at once, after most of it, before most of it, between the two. */
export type ContainerMechanism = "stop-and-copy" | "precopy" | "postcopy" | "hybrid";

/** Those by which a room runs before its memory is complete. */
export const isLazy = (mechanism: ContainerMechanism): boolean =>
  mechanism === "postcopy" || mechanism === "hybrid";

/** Those that send memory ahead. */
export const goesAhead = (mechanism: ContainerMechanism): boolean =>
  mechanism === "precopy" || mechanism === "hybrid";

interface Costs {
  readonly fixedMs: number;
  readonly msPerMegabyte: number;
  /** Bytes that cross, of those that it has. */
  readonly share: number;
}

/** Measured on one machine, both hosts on it; corrected from the first move on. */
const COSTS: Readonly<Record<ContainerMechanism, Costs>> = {
  "stop-and-copy": { fixedMs: 100, msPerMegabyte: 1.4, share: 1 },
  precopy: { fixedMs: 100, msPerMegabyte: 0.7, share: 1.3 },
  postcopy: { fixedMs: 120, msPerMegabyte: 0.6, share: 1 },
  hybrid: { fixedMs: 120, msPerMegabyte: 0.5, share: 1.3 },
};
/** Of criu's images: processes, sockets, files. */
const FIXED_BYTES = 400_000;
/** How much the last move counts. */
const WEIGHT = 0.3;
/** Sending memory ahead takes bytes and time of both hosts. */
const WORTH_IT = 0.9;

export interface ContainerMovePrediction {
  readonly totalMs: number;
  readonly bytes: number;
  readonly because: string;
}

interface Learned {
  /** What moves took, of what they were thought to take. */
  readonly slower: number;
  readonly larger: number;
}
const NOTHING_LEARNED: Learned = { slower: 1, larger: 1 };

export class ContainerPredictor {
  readonly #learned = new Map<ContainerMechanism, Learned>();
  /** Of another way nothing better is known than how fast these hosts were. */
  #last = NOTHING_LEARNED;

  predict(mechanism: ContainerMechanism, privateBytes: number): ContainerMovePrediction {
    const megabytes = privateBytes / 1e6;
    const { fixedMs, msPerMegabyte, share } = COSTS[mechanism];
    const { slower, larger } = this.#learned.get(mechanism) ?? this.#last;
    const when = goesAhead(mechanism) ? ", sent ahead" : "";
    const where = isLazy(mechanism) ? ", complete after it runs" : "";
    return {
      totalMs: (fixedMs + msPerMegabyte * megabytes) * slower,
      bytes: (FIXED_BYTES + privateBytes * share) * larger,
      because: `${Math.round(megabytes)} MB of its own memory${when}${where}`,
    };
  }

  /**
   * The way in which a container with so much memory stands still for the shortest time; of those that keep its memory
   * in one place, since the others have not been faster and lose it with either host.
   */
  choose(privateBytes: number): ContainerMechanism {
    const [precopy, stopped] = [this.#ms("precopy", privateBytes), this.#ms("stop-and-copy", privateBytes)];
    return precopy < stopped * WORTH_IT ? "precopy" : "stop-and-copy";
  }

  #ms(mechanism: ContainerMechanism, privateBytes: number): number {
    return this.predict(mechanism, privateBytes).totalMs;
  }

  /** @param totalMs for how long it stood still */
  learn(
    mechanism: ContainerMechanism,
    predicted: ContainerMovePrediction,
    totalMs: number,
    bytes: number,
  ): void {
    const { slower, larger } = this.#learned.get(mechanism) ?? this.#last;
    this.#last = {
      slower: slower * (1 + WEIGHT * (totalMs / predicted.totalMs - 1)),
      larger: larger * (1 + WEIGHT * (bytes / predicted.bytes - 1)),
    };
    this.#learned.set(mechanism, this.#last);
  }
}
