/** A WebSocket server: uWebSockets.js, or `ws` where its native binary does not load. */
import { isolated } from "./isolated.js";
import type { ListenOptions, OnAccepted, RunningServer } from "./server-socket.js";

/** @param say told once if the slower library has to do, and of every error in a connection */
export async function listen(
  options: ListenOptions,
  onAccepted: OnAccepted,
  say: (line: string) => void,
): Promise<RunningServer> {
  const { listenUws } = await import("./uws-server.js");
  const accept = isolated(onAccepted, say);
  try {
    return await listenUws(options, accept);
  } catch (cause) {
    const { listenWs } = await import("./ws-server.js");
    const server = await listenWs(options, accept);
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    say(`uWebSockets.js does not load here (${reason}); using ws, which needs more CPU per message`);
    return server;
  }
}
