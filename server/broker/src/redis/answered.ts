/** A Redis that takes a command and says nothing must not keep its caller. */
import { CentroidError } from "@centroid/protocol";

/** How long a command waits for a Redis that is away. */
export const COMMAND_TIMEOUT_MS = 2_000;

/** @throws CentroidError INTERNAL if there is no reply in time */
export function answered<T>(reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new CentroidError("INTERNAL", "Redis does not answer; check that it runs and can be reached")),
      COMMAND_TIMEOUT_MS,
    );
  });
  return Promise.race([reply, silent]).finally(() => clearTimeout(timer));
}
