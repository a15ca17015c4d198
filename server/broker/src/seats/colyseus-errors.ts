/** Our errors as a stock Colyseus client expects them: its code is the HTTP status, its text is in `error`. */
import { type CentroidError, type ErrorCode, MEASURE_FIRST_STATUS } from "@centroid/protocol";

/** Numbers of @colyseus/shared-types `ErrorCode`. */
const NO_HANDLER = 520;
const INVALID_CRITERIA = 521;
const INVALID_ROOM_ID = 522;
const UNHANDLED = 523;
const EXPIRED = 524;
const AUTH_FAILED = 525;

function colyseusCode(code: ErrorCode, method: string): number {
  switch (code) {
    case "ROOM_TYPE_UNKNOWN":
    case "NOT_FOUND":
      return NO_HANDLER;
    case "ROOM_NOT_FOUND":
      return method === "join" ? INVALID_CRITERIA : INVALID_ROOM_ID;
    case "ROOM_LOCKED":
      return INVALID_ROOM_ID;
    case "SEAT_EXPIRED":
    case "SESSION_NOT_FOUND":
      return EXPIRED;
    case "UNAUTHORIZED":
      return AUTH_FAILED;
    case "BAD_REQUEST":
    case "PROTOCOL_VERSION":
      return 400;
    case "RATE_LIMITED":
      return 429;
    case "NO_HOST":
      return 503;
    case "MEASURE_FIRST":
      return MEASURE_FIRST_STATUS;
    default:
      return UNHANDLED;
  }
}

/** Body of the answer; `reason` is ours, stock clients ignore it. */
export function colyseusBody(
  error: CentroidError,
  method: string,
): { code: number; error: string; reason: ErrorCode } {
  const code = error.authorCode ?? colyseusCode(error.code, method);
  return { code, error: error.message, reason: error.code };
}

/** An author's code may be any number; HTTP has few. */
export const httpStatusOf = (code: number): number => (code >= 400 && code < 600 ? code : UNHANDLED);
