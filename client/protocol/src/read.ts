/** Reads values of strangers: what a schema cannot even look at is as wrong as what it refuses. */
import { z } from "zod";
import { CentroidError, type ErrorCode } from "./errors.js";

/** Words about a refused value are cut here; it may be large. */
const MAX_WORDS = 1_900;

/**
 * @param what begins the error's message
 * @throws CentroidError with that code
 */
export function readWire<T>(schema: z.ZodType<T>, value: unknown, code: ErrorCode, what: string): T {
  let parsed: z.ZodSafeParseResult<T>;
  try {
    parsed = schema.safeParse(value);
  } catch (cause) {
    // A length check compares `{ "length": { "toString": 1 } }` with a number, and throws.
    throw new CentroidError(code, `${what}: a value that cannot be read`, { cause });
  }
  if (parsed.success) return parsed.data;
  throw new CentroidError(code, `${what}: ${z.prettifyError(parsed.error).slice(0, MAX_WORDS)}`);
}
