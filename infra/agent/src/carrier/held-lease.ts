/** For how long this host may run rooms, as it was told last: for whoever starts too late to have heard it. */
import { monotonicMs } from "@centroid/room-host";

export class HeldLease {
  #untilMs: number | undefined;
  #lapses = 0;

  /** @returns whether it was over before: brokers may have had rooms built elsewhere since */
  renew(forMs: number): boolean {
    const lapsed = this.isOver;
    if (lapsed) this.#lapses++;
    this.#untilMs = monotonicMs() + forMs;
    return lapsed;
  }

  /** Undefined until it has been told; below 0 if it is over. */
  get leftMs(): number | undefined {
    return this.#untilMs === undefined ? undefined : this.#untilMs - monotonicMs();
  }

  get isOver(): boolean {
    return this.leftMs !== undefined && this.leftMs <= 0;
  }

  /** How often it was over before it was renewed. */
  get lapses(): number {
    return this.#lapses;
  }
}
