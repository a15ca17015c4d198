/** What goes wrong for one connection is that connection's affair: nothing else of this process hears of it. */
import type { OnAccepted, ServerSocket } from "./server-socket.js";

/** RFC 6455, 7.4.1: the server met a condition it did not expect. */
const CLOSE_INTERNAL = 1011;

/**
 * A connection that cannot be accepted is closed. One whose frame cannot be handled stays: the handler may be a room
 * author's, and a slip of theirs is no reason to put a player out.
 * @param say told what went wrong
 */
export function isolated(onAccepted: OnAccepted, say: (line: string) => void): OnAccepted {
  return (accepted) => {
    const { socket } = accepted;
    const guarded =
      <T>(listener: (given: T) => void, onError?: () => void) =>
      (given: T): void => {
        try {
          listener(given);
        } catch (cause) {
          say(`error in a connection: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`);
          onError?.();
        }
      };
    const own: ServerSocket = {
      send: (frame) => socket.send(frame),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (listener) => socket.onMessage(guarded(listener)),
      onClose: (listener) => socket.onClose(guarded(listener)),
    };
    guarded(onAccepted, () => socket.close(CLOSE_INTERNAL, "internal error"))({ ...accepted, socket: own });
  };
}
