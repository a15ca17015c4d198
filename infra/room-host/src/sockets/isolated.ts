/** What goes wrong for one connection is that connection's affair: nothing else of this process hears of it. */
import type { OnAccepted } from "./server-socket.js";

/** RFC 6455, 7.4.1: the server met a condition it did not expect. */
export const CLOSE_INTERNAL = 1011;

/** Told of what a listener of a connection has thrown. */
export type OnFailed = (cause: unknown) => void;

/** @param say told what went wrong */
export const saying =
  (say: (line: string) => void): OnFailed =>
  (cause) =>
    say(`error in a connection: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`);

/**
 * A connection that cannot be accepted is closed. One whose frame cannot be handled stays: the handler may be a room
 * author's, and a slip of theirs is no reason to put a player out.
 */
export const accepting =
  (onAccepted: OnAccepted, failed: OnFailed): OnAccepted =>
  (accepted) => {
    try {
      onAccepted(accepted);
    } catch (cause) {
      failed(cause);
      accepted.socket.close(CLOSE_INTERNAL, "internal error");
    }
  };

/** The same listener; what it throws goes elsewhere. */
export const guarded =
  <T>(listener: (given: T) => void, failed: OnFailed): ((given: T) => void) =>
  (given) => {
    try {
      listener(given);
    } catch (cause) {
      failed(cause);
    }
  };
