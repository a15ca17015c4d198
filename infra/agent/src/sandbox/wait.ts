/** Waiting for another program to reach a state that it does not announce. */
import { setTimeout as delay } from "node:timers/promises";

const pollIntervalMs = 10;
const defaultTimeoutMs = 15_000;

/** Resolves once `ready` says so. @throws what `ready` throws, or an error naming `what` after `timeoutMs`. */
export async function waitFor(
  what: string,
  ready: () => boolean | Promise<boolean>,
  timeoutMs = defaultTimeoutMs,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (performance.now() > deadline) throw new Error(`${what} did not get ready within ${timeoutMs} ms`);
    await delay(pollIntervalMs);
  }
}
