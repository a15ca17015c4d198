/** Reads values of strangers: what a schema cannot even look at is as wrong as what it refuses. */
import { z } from "zod";
import { CentroidError, type ErrorCode } from "./errors.js";

/** Words about a refused value are cut here; it may be large. */
const MAX_WORDS = 1_900;

/** `schema.safeParse` that never throws: a length check compares `{ "length": { "toString": 1 } }` with a number. */
export function tryRead<S extends z.ZodType>(schema: S, value: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(value);
  } catch {
    const message = "a value that cannot be read";
    const error = new z.ZodError([{ code: "custom", path: [], message, input: value }]);
    return { success: false, error: error as z.ZodError<z.output<S>> };
  }
}

/**
 * @param what begins the error's message
 * @throws CentroidError with that code
 */
export function readWire<T>(schema: z.ZodType<T>, value: unknown, code: ErrorCode, what: string): T {
  const parsed = tryRead(schema, value);
  if (parsed.success) return parsed.data;
  throw new CentroidError(code, `${what}: ${z.prettifyError(parsed.error).slice(0, MAX_WORDS)}`);
}
