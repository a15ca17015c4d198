/** Every error that crosses a process boundary: a stable code, a one-line cause and what to do about it. */
import * as z from "zod/mini";

export const errorCodeSchema = z.enum([
  "BAD_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "PROTOCOL_VERSION",
  "NOT_FOUND",
  "ROOM_NOT_FOUND",
  "ROOM_AMBIGUOUS",
  "ROOM_TYPE_UNKNOWN",
  "ROOM_FULL",
  "ROOM_LOCKED",
  "ROOM_MOVING",
  "ROOM_NOT_MOVABLE",
  "ROOM_BUSY",
  "ROOM_ERROR",
  "ROOM_CRASHED",
  "ROOM_LOST",
  "HOST_NOT_FOUND",
  "HOST_NOT_ACTIVE",
  "HOST_FULL",
  "HOST_LOST",
  "CARRIER_UNAVAILABLE",
  "NO_HOST",
  "MEASURE_FIRST",
  "SEAT_EXPIRED",
  "SESSION_NOT_FOUND",
  "STALE_EPOCH",
  "MIGRATION_NOT_FOUND",
  "MIGRATION_FAILED",
  "MIGRATION_TIMEOUT",
  "FRAME_INVALID",
  "FRAME_TOO_LARGE",
  "RATE_LIMITED",
  "WORK_FAILED",
  "WORK_TIMEOUT",
  "WORK_QUEUE_FULL",
  "STORE_UNAVAILABLE",
  "PORT_IN_USE",
  "CONFIG_INVALID",
  "INTERNAL",
]);
export type ErrorCode = z.infer<typeof errorCodeSchema>;

export const wireErrorSchema = z.object({
  code: errorCodeSchema,
  message: z.string().check(z.maxLength(2000)),
  /** What the author of a room gave with it, such as Colyseus' `ServerError`. */
  authorCode: z.optional(z.int()),
});
export type WireError = z.infer<typeof wireErrorSchema>;

/** An expected failure. `message` names the cause and the remedy in one line. */
export class CentroidError extends Error {
  readonly code: ErrorCode;
  /** What the author of a room gave with it, such as Colyseus' `ServerError`. */
  readonly authorCode: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { authorCode?: number | undefined },
  ) {
    super(message, options);
    this.name = "CentroidError";
    this.code = code;
    this.authorCode = options?.authorCode;
  }

  toWire(): WireError {
    const { code, message, authorCode } = this;
    return { code, message, ...(authorCode !== undefined && { authorCode }) };
  }

  static fromWire(error: WireError): CentroidError {
    return new CentroidError(error.code, error.message, { authorCode: error.authorCode });
  }

  /** Wraps anything thrown; an unexpected error becomes `INTERNAL` with its message kept. */
  static from(cause: unknown): CentroidError {
    if (cause instanceof CentroidError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return new CentroidError("INTERNAL", message.slice(0, 2000), { cause });
  }
}
