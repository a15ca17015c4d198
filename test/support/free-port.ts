/** A port that was free a moment ago, for programs that cannot be told 0 or are started again on the same one. */
import { createServer } from "node:net";

export async function freePort(): Promise<number> {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const { port } = free.address() as { port: number };
  await new Promise<unknown>((resolve) => free.close(resolve));
  return port;
}
