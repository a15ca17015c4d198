/**
 * How long a container stands still in its move, by the memory it has to carry and what earlier moves of this host took;
 * and whether it pays to send that memory ahead.
 */

export type ContainerMechanism = "stop-and-copy" | "precopy";

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

export class ContainerPredictor {
  readonly #learned: Record<ContainerMechanism, { slower: number; larger: number }> = {
    "stop-and-copy": { slower: 1, larger: 1 },
    precopy: { slower: 1, larger: 1 },
  };

  predict(mechanism: ContainerMechanism, privateBytes: number): ContainerMovePrediction {
    const megabytes = privateBytes / 1e6;
    const { fixedMs, msPerMegabyte, share } = COSTS[mechanism];
    const { slower, larger } = this.#learned[mechanism];
    return {
      totalMs: (fixedMs + msPerMegabyte * megabytes) * slower,
      bytes: (FIXED_BYTES + privateBytes * share) * larger,
      because: `${Math.round(megabytes)} MB of its own memory${mechanism === "precopy" ? ", sent ahead" : ""}`,
    };
  }

  /** The way in which a container with so much memory stands still for the shortest time. */
  choose(privateBytes: number): ContainerMechanism {
    const [ahead, stopped] = (["precopy", "stop-and-copy"] as const).map((mechanism) =>
      this.predict(mechanism, privateBytes),
    );
    return ahead !== undefined && stopped !== undefined && ahead.totalMs < stopped.totalMs * WORTH_IT
      ? "precopy"
      : "stop-and-copy";
  }

  /** @param totalMs for how long it stood still */
  learn(
    mechanism: ContainerMechanism,
    predicted: ContainerMovePrediction,
    totalMs: number,
    bytes: number,
  ): void {
    const learned = this.#learned[mechanism];
    learned.slower *= 1 + WEIGHT * (totalMs / predicted.totalMs - 1);
    learned.larger *= 1 + WEIGHT * (bytes / predicted.bytes - 1);
  }
}
