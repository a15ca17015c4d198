/** Reads values of strangers: what a schema cannot even look at is as wrong as what it refuses. */

import * as z from "zod/mini";
import { $ZodRealError } from "zod/v4/core";
import { CentroidError, type ErrorCode } from "./errors.js";

/** Words about a refused value are cut here; it may be large. */
const MAX_WORDS = 1_900;

/** `schema.safeParse` that never throws: a length check compares `{ "length": { "toString": 1 } }` with a number. */
export function tryRead<S extends z.core.$ZodType>(
  schema: S,
  value: unknown,
): z.core.util.SafeParseResult<z.output<S>> {
  try {
    return z.safeParse(schema, value);
  } catch {
    const message = "a value that cannot be read";
    const issue: z.core.$ZodIssue = { code: "custom", path: [], message, input: value };
    const error = new $ZodRealError([issue]);
    return { success: false, error: error as z.core.$ZodError<z.output<S>> };
  }
}

/**
 * @param what begins the error's message
 * @throws CentroidError with that code
 */
export function readWire<S extends z.core.$ZodType>(
  schema: S,
  value: unknown,
  code: ErrorCode,
  what: string,
): z.output<S> {
  const parsed = tryRead(schema, value);
  if (parsed.success) return parsed.data;
  throw new CentroidError(code, `${what}: ${z.prettifyError(parsed.error).slice(0, MAX_WORDS)}`);
}
