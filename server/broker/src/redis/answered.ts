/** A Redis that takes a command and says nothing must not keep its caller; whatever it fails with has one code. */
import { CentroidError } from "@centroid/protocol";

/** How long a command waits for a Redis that is away. */
export const COMMAND_TIMEOUT_MS = 2_000;

/** @throws CentroidError STORE_UNAVAILABLE if there is no reply in time, or a refusal: it may be written then or not */
export async function answered<T>(reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<never>((_, reject) => {
    // A process that stood still reads what has come meanwhile before it says that nothing came.
    const giveUp = (): void => void setImmediate(reject, new Error("no reply in time"));
    timer = setTimeout(giveUp, COMMAND_TIMEOUT_MS);
  });
  try {
    return await Promise.race([reply, silent]);
  } catch (cause) {
    if (cause instanceof CentroidError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CentroidError(
      "STORE_UNAVAILABLE",
      `Redis does not answer (${why.slice(0, 300)}); check that it runs and can be reached`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}
