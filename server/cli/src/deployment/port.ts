/** Says that a port is taken before anything is started. */
import { createServer } from "node:net";
import { CentroidError } from "@centroid/protocol";

/** @throws CentroidError PORT_IN_USE that names the port and how to take another */
export async function assertPortFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", (error: NodeJS.ErrnoException) => reject(portError(error, host, port)));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

function portError(error: NodeJS.ErrnoException, host: string, port: number): CentroidError {
  if (error.code === "EADDRINUSE") {
    return new CentroidError(
      "PORT_IN_USE",
      `port ${port} on ${host} is in use; choose another with --port or CENTROID_PORT`,
    );
  }
  return new CentroidError("CONFIG_INVALID", `cannot listen on ${host}:${port}: ${error.message}`);
}
