/** The listening side of a room host: players and other hosts come in here. */
import { type AuthContext, createAuthContext } from "@colyseus/core";
import { MAX_PLAYER_FRAME_BYTES } from "../sessions/player-limits.js";
import { listen } from "../sockets/listen.js";
import type { RunningServer, ServerSocket } from "../sockets/server-socket.js";

export interface PlayerConnection {
  socket: ServerSocket;
  path: string;
  query: URLSearchParams;
  context: AuthContext;
}

/** A hand-off and a standby's feed ship their bulk in frames of this size at most. */
const LARGE = { paths: ["/handoff/", "/standby/", "/trunk/"], maxFrameBytes: 16 * 1024 * 1024 };
/** What is held of a player's frame that has not all come; who keeps to the limit is never cut off by this one. */
const MAX_FRAME_BYTES = 2 * MAX_PLAYER_FRAME_BYTES;
const IDLE_TIMEOUT_S = 60;
const MAX_BACKPRESSURE_BYTES = 16 * 1024 * 1024;

/** Listens on `host`, any free port. */
export function listenForPlayers(
  host: string,
  onConnection: (connection: PlayerConnection) => void,
  notice: (line: string) => void,
): Promise<RunningServer> {
  return listen(
    {
      host,
      port: 0,
      maxFrameBytes: MAX_FRAME_BYTES,
      large: LARGE,
      maxBackpressureBytes: MAX_BACKPRESSURE_BYTES,
      idleTimeoutS: IDLE_TIMEOUT_S,
      keepAlive: true,
      notice: "rooms are reached by WebSocket",
    },
    ({ socket, path, query, headers, remoteAddress }) => {
      const token = query.get("_authToken");
      onConnection({ socket, path, query, context: createAuthContext({ headers, token, remoteAddress }) });
    },
    notice,
  );
}
