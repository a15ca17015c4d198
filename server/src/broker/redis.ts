/** Connections to Redis: refused with a reason at the start, dialled again for as long as it takes later. */
import { CentroidError } from "@centroid/protocol";
import { createClient } from "redis";
import type { Logger } from "./logger.js";

export type RedisClient = ReturnType<typeof createClient>;

/** How long a command waits for a Redis that is away. */
const COMMAND_TIMEOUT_MS = 2_000;

/** @throws CentroidError CONFIG_INVALID if nothing answers at the URL */
export async function connectRedis(url: string, logger: Logger): Promise<RedisClient> {
  const refuse = (cause: unknown): never => {
    throw new CentroidError(
      "CONFIG_INVALID",
      `no Redis answers at ${url} (${cause instanceof Error ? cause.message : String(cause)}); start one or correct --redis`,
      { cause },
    );
  };
  let connected = false;
  let client: RedisClient;
  try {
    client = createClient({
      url,
      commandOptions: { timeout: COMMAND_TIMEOUT_MS },
      socket: {
        connectTimeout: COMMAND_TIMEOUT_MS,
        // The first connection is refused at once; a lost one is dialled again for as long as it takes.
        reconnectStrategy: (retries, cause) => (connected ? Math.min(50 * 2 ** retries, 500) : cause),
      },
    });
  } catch (cause) {
    return refuse(cause);
  }
  client.on("error", (cause: unknown) => {
    if (connected) logger.warn({ cause }, "connection to Redis broke");
  });
  await client.connect().catch(refuse);
  connected = true;
  return client;
}
