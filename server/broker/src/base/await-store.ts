/**
 * A store that is away while a broker starts: it is asked again until it answers. Whoever waits is told why, and the
 * wait has an end, so that a supervisor learns of a start that does not get anywhere.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidError } from "@centroid/protocol";

/** A Redis that starts beside its brokers, loads what it has, or fails over is there by then. */
const STORE_WAIT_MS = 60_000;
const RETRY_MS = 500;

/** How a store is waited for. */
export interface StoreWait {
  /** At most; {@link STORE_WAIT_MS} if not given. */
  forMs?: number;
  /** Whether waiting can help; it can wherever a store is unavailable, if not given. */
  helps?: (why: CentroidError) => boolean;
  /** Told why it is waited for, once for each reason. */
  onWaiting?: (why: CentroidError) => void;
  /** Gives up. */
  signal?: AbortSignal | undefined;
}

/**
 * Asks until the store answers.
 * @throws CentroidError STORE_UNAVAILABLE if it does not in time; at once whatever else it answers
 */
export async function untilStoreAnswers<T>(ask: () => Promise<T>, wait: StoreWait): Promise<T> {
  const { forMs = STORE_WAIT_MS, helps = () => true, onWaiting, signal } = wait;
  const startedAtMs = performance.now();
  let said: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof CentroidError && cause.code === "STORE_UNAVAILABLE" && helps(cause)))
        throw cause;
      const waitedMs = performance.now() - startedAtMs;
      if (waitedMs >= forMs)
        throw new CentroidError(
          "STORE_UNAVAILABLE",
          `${cause.message} (waited ${Math.round(waitedMs / 1000)} s)`,
          { cause },
        );
      if (said !== cause.message) onWaiting?.(cause);
      said = cause.message;
    }
    await sleep(RETRY_MS, undefined, signal === undefined ? {} : { signal });
  }
}
