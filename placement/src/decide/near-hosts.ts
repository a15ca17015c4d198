/** Which open hosts to look at as long as none of the others can have come within the bounds. */
import type { Bounds } from "./contenders.js";
import type { Falls } from "./falls.js";

/** All of so few are looked at each time. */
const FEW_OPEN = 8;
/** Hosts so little beyond the bounds count as near: the others need no look before more has fallen. */
const NEAR_SHARE = 0.02;
const NEAR_MS = 0.5;

/** No J of the k-th open host is below `leastMs`, and its largest round trip not below `maxMs`. */
type BoundsOf = (k: number) => { leastMs: number; maxMs: number };

type Fallen = Pick<Falls, "meanMs" | "inAllMs">;

export class NearHosts {
  readonly ks: number[] = [];
  /** Least bound and least largest round trip of the others, ms, and what had fallen by then. */
  #leastMs = Number.POSITIVE_INFINITY;
  #maxMs = Number.POSITIVE_INFINITY;
  readonly #since: Fallen;

  private constructor({ meanMs, inAllMs }: Fallen) {
    this.#since = { meanMs, inAllMs };
  }

  /** @returns undefined where so few are open that it does not pay */
  static of(
    open: number,
    boundsOf: BoundsOf,
    { limitMs, capMs }: Bounds,
    now: Fallen,
  ): NearHosts | undefined {
    if (open <= FEW_OPEN) return undefined;
    const wider = limitMs * (1 + NEAR_SHARE) + NEAR_MS;
    const near = new NearHosts(now);
    for (let k = 0; k < open; k++) {
      const { leastMs, maxMs } = boundsOf(k);
      if (leastMs > wider && maxMs > capMs * (1 + NEAR_SHARE)) {
        near.#leastMs = Math.min(near.#leastMs, leastMs);
        near.#maxMs = Math.min(near.#maxMs, maxMs);
      } else near.ks.push(k);
    }
    return near;
  }

  /** @param maxShare of J, of the largest round trip at least */
  areAll(now: Fallen, maxShare: number, { limitMs, capMs }: Bounds): boolean {
    const fallMs = now.inAllMs - this.#since.inAllMs;
    const meanFallMs = now.meanMs - this.#since.meanMs;
    return this.#leastMs - meanFallMs - maxShare * fallMs > limitMs && this.#maxMs - fallMs > capMs;
  }

  add(k: number): void {
    if (!this.ks.includes(k)) this.ks.push(k);
  }
}
