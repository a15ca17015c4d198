/** How long a container's move will take, from the memory it has to carry and what earlier moves of this host took. */

/** Measured on one machine, both hosts on it; corrected from the first move on. */
const FIXED_MS = 100;
const MS_PER_MEGABYTE = 1.4;
/** Of criu's images: processes, sockets, files. */
const FIXED_BYTES = 400_000;
/** How much the last move counts. */
const WEIGHT = 0.3;

export interface ContainerMovePrediction {
  readonly totalMs: number;
  readonly bytes: number;
  readonly because: string;
}

export class ContainerPredictor {
  #slower = 1;
  #larger = 1;

  predict(privateBytes: number): ContainerMovePrediction {
    const megabytes = privateBytes / 1e6;
    return {
      totalMs: (FIXED_MS + MS_PER_MEGABYTE * megabytes) * this.#slower,
      bytes: (FIXED_BYTES + privateBytes) * this.#larger,
      because: `${Math.round(megabytes)} MB of its own memory`,
    };
  }

  learn(predicted: ContainerMovePrediction, totalMs: number, bytes: number): void {
    this.#slower *= 1 + WEIGHT * (totalMs / predicted.totalMs - 1);
    this.#larger *= 1 + WEIGHT * (bytes / predicted.bytes - 1);
  }
}
