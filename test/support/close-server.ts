/** Ends an HTTP server of a test, whoever is still connected. */
import type { Server } from "node:http";

/** Resolves when it is closed. A connection on which no request ever came would keep it open for good otherwise. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
