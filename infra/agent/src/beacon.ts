/**
 * What players measure against: a WebSocket that echoes. It lives in the agent's process, so that a busy room
 * does not look like a distant host.
 */

import type { RunningServer, ServerSocket } from "@centroid/room-host/sockets";
import { listen } from "@centroid/room-host/sockets";

/** A probe is a counter and a timestamp; more is not a probe. */
const MAX_PROBE_BYTES = 64;
/** One player needs a handful of probes a second at most. */
const MAX_PROBES_PER_SECOND = 50;
/** A beacon that is not used is closed. */
const IDLE_TIMEOUT_S = 60;
/** RFC 6455, 7.4.1: policy violation. */
const CLOSE_POLICY = 1008;

/**
 * Listens on `host:port`.
 * @param onMeasured somebody measures
 * @param say told of every error in a connection
 */
export function startBeacon(
  host: string,
  port: number,
  onMeasured: () => void,
  say: (line: string) => void,
): Promise<RunningServer> {
  return listen(
    {
      host,
      port,
      maxFrameBytes: MAX_PROBE_BYTES,
      maxBackpressureBytes: MAX_PROBES_PER_SECOND * MAX_PROBE_BYTES,
      idleTimeoutS: IDLE_TIMEOUT_S,
      keepAlive: false,
      notice: "this is a WebSocket beacon",
    },
    ({ socket }) => {
      onMeasured();
      echo(socket);
    },
    say,
  );
}

function echo(socket: ServerSocket): void {
  let second = 0;
  let count = 0;
  socket.onMessage((frame) => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      second = now;
      count = 0;
    }
    if (++count > MAX_PROBES_PER_SECOND) socket.close(CLOSE_POLICY, "too many probes");
    else socket.send(frame);
  });
}
