/** Errors of the control API and of the SDK's own routes: `{ error: { code, message } }` with a fitting status. */
import { CentroidError, type ErrorCode, MEASURE_FIRST_STATUS } from "@centroid/protocol";
import type { FastifyError, FastifyReply } from "fastify";
import { LimitReached } from "../base/limits.js";

export function httpStatus(code: ErrorCode): number {
  switch (code) {
    case "BAD_REQUEST":
    case "PROTOCOL_VERSION":
    case "FRAME_INVALID":
    case "CONFIG_INVALID":
      return 400;
    case "UNAUTHORIZED":
      return 401;
    case "FORBIDDEN":
      return 403;
    case "NOT_FOUND":
    case "ROOM_NOT_FOUND":
    case "HOST_NOT_FOUND":
    case "SESSION_NOT_FOUND":
    case "MIGRATION_NOT_FOUND":
    case "ROOM_TYPE_UNKNOWN":
      return 404;
    case "ROOM_AMBIGUOUS":
    case "ROOM_FULL":
    case "ROOM_LOCKED":
    case "ROOM_MOVING":
    case "ROOM_NOT_MOVABLE":
    case "ROOM_BUSY":
    case "HOST_NOT_ACTIVE":
    case "HOST_FULL":
    case "CARRIER_UNAVAILABLE":
    case "STALE_EPOCH":
    case "SEAT_EXPIRED":
      return 409;
    case "ROOM_CRASHED":
    case "ROOM_LOST":
      return 410;
    case "FRAME_TOO_LARGE":
      return 413;
    case "MEASURE_FIRST":
      return MEASURE_FIRST_STATUS;
    case "RATE_LIMITED":
    case "WORK_QUEUE_FULL":
      return 429;
    case "STORE_UNAVAILABLE":
    case "NO_HOST":
    case "HOST_LOST":
      return 503;
    case "MIGRATION_TIMEOUT":
    case "WORK_TIMEOUT":
      return 504;
    case "ROOM_ERROR":
    case "WORK_FAILED":
    case "MIGRATION_FAILED":
    case "PORT_IN_USE":
    case "INTERNAL":
      return 500;
    default: {
      const never: never = code;
      throw new RangeError(`unknown code ${String(never)}`);
    }
  }
}

/** Says to who asks too much when to ask again (RFC 6585, 4). */
export function withRetryAfter(reply: FastifyReply, error: CentroidError): FastifyReply {
  if (error.code === "RATE_LIMITED")
    reply.header("retry-after", error instanceof LimitReached ? error.retryAfterS : 1);
  return reply;
}

/** Whatever was thrown in a route, Fastify's own errors (bad JSON, too large, not valid) included. */
export function toCentroidError(cause: FastifyError | Error): CentroidError {
  if (cause instanceof CentroidError) return cause;
  const status = "statusCode" in cause ? cause.statusCode : undefined;
  if (status === 413) return new CentroidError("FRAME_TOO_LARGE", cause.message);
  if (status !== undefined && status >= 400 && status < 500)
    return new CentroidError("BAD_REQUEST", cause.message.slice(0, 2000));
  return new CentroidError("INTERNAL", "internal error in the broker; see its log", { cause });
}
