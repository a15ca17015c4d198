/** A WebSocket server: uWebSockets.js, or `ws` where its native binary does not load. Which, `centroid doctor` says. */
import { accepting, saying } from "./isolated.js";
import { loadUws } from "./native.js";
import type { ListenOptions, OnAccepted, RunningServer } from "./server-socket.js";

/**
 * @param say told of every error in a connection
 * @throws if the port is taken
 */
export async function listen(
  options: ListenOptions,
  onAccepted: OnAccepted,
  say: (line: string) => void,
): Promise<RunningServer> {
  const failed = saying(say);
  const accept = accepting(onAccepted, failed);
  const native = await loadUws();
  if (native.state === "loaded") {
    const { listenUws } = await import("./uws-server.js");
    return listenUws(native.uws, options, accept, failed);
  }
  const { listenWs } = await import("./ws-server.js");
  return listenWs(options, accept, failed);
}
