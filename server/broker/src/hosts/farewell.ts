/**
 * A broker that ends leaves its hosts a longer lease if it is alone on its store: nobody else can give their rooms away,
 * and the next broker there waits as long for those that do not come back (OWN-10).
 */
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Store } from "../store/store.js";
import type { HostRegistry } from "./host-registry.js";
import { CLOCK_MARGIN } from "./liveness.js";

/** Name of the lease in the store. */
const NAME = "farewell-lease-ms";
const leaseSchema = z.coerce.number().positive();

export interface FarewellOptions {
  store: Pick<Store, "values" | "putValue">;
  hosts: Pick<HostRegistry, "get" | "values">;
  clock: Clock;
  logger: Logger;
  /** None if 0. */
  leaseMs: number;
}

export class Farewell {
  readonly #options: FarewellOptions;
  #leftMs = 0;
  #untilMs = 0;

  constructor(options: FarewellOptions) {
    this.#options = options;
  }

  /** Finds the lease that an earlier broker left; until {@link begin} it is not known when that is over. */
  async recall(): Promise<void> {
    const left = (await this.#options.store.values()).get(NAME);
    if (left === undefined) return;
    this.#leftMs = leaseSchema.parse(left) * CLOCK_MARGIN;
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  /** Hosts can come back from now on. What they were left had begun before, so it is over when as long has passed. */
  begin(): void {
    if (this.#leftMs === 0) return;
    const { clock, store, logger } = this.#options;
    this.#untilMs = clock.now() + this.#leftMs;
    clock.after(this.#leftMs, () => {
      store
        .putValue(NAME, undefined)
        .catch((cause: unknown) => logger.warn({ cause }, "a lease that is over is still on record"));
    });
  }

  /** True while a host that has not come back may run the rooms that it had. One that said hello counts anew. */
  mayRun(hostId: string): boolean {
    return this.#options.hosts.get(hostId) === undefined && this.#options.clock.now() < this.#untilMs;
  }

  /**
   * To be called when this broker gives no rooms to anybody any more.
   * @param tell sends it to a host; resolves when it has arrived, or cannot
   */
  async say(tell: (hostId: string, leaseMs: number) => Promise<void>): Promise<void> {
    const { store, hosts, logger, leaseMs } = this.#options;
    const there = [...hosts.values()].filter(
      ({ peer, stage }) => peer !== undefined && stage.state !== "lost",
    );
    if (leaseMs === 0 || there.length === 0) return;
    try {
      // Before any host relies on it.
      await store.putValue(NAME, String(leaseMs));
      await Promise.all(there.map(({ facts: { hostId } }) => tell(hostId, leaseMs)));
    } catch (cause) {
      const { message } = CentroidError.from(cause);
      logger.warn(
        { cause },
        `hosts were left no lease, their rooms may pause until a broker is back: ${message}`,
      );
    }
  }
}
