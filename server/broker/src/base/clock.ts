/** Time as the broker sees it; passed in, so that tests decide what time it is. */

export interface Clock {
  /** Milliseconds since the Unix epoch; never goes back while the process runs. */
  now(): number;
  /** Runs once after `delayMs`. Returns what cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Rejects with `error` if the promise is not settled within `timeoutMs`. */
export function within<T>(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<T>,
  error: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(error()));
    promise.then(resolve, reject).finally(cancel);
  });
}
