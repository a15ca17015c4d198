/** Where a broker keeps what must outlive it: in its own folder, or in a Redis that it shares with others. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type BrokerLogOptions,
  type BrokerOptions,
  connectRedis,
  openBrokerLog,
  RedisCluster,
  RedisStore,
  type StoreWait,
  untilStoreAnswers,
} from "@centroid/broker";
import type { DisposalStack } from "@centroid/protocol/node";
import type { Config } from "../config/config.js";
import { keepToken, type Token, type TokenName } from "./state-dir.js";

export interface Persistence {
  broker: Pick<BrokerOptions, "store" | "storeDir" | "logger" | "logLevel" | "cluster" | "clusterUrl">;
  /** Made and kept the first time somebody asks. */
  token(name: TokenName): Promise<Token>;
}

/**
 * @param wait how a Redis that is away is waited for
 * @throws CentroidError CONFIG_INVALID if Redis does not take this broker, STORE_UNAVAILABLE if none answers in time
 */
export async function openPersistence(
  config: Config,
  owned: DisposalStack,
  wait: StoreWait,
  clean = false,
): Promise<Persistence> {
  const { stateDir, redis, clusterUrl } = config;
  if (redis === undefined) {
    return {
      broker: { storeDir: await storeDir(config, owned, clean), logLevel: config.logLevel },
      token: (name) => keepToken(stateDir, name),
    };
  }
  const logger = owned.use(openBrokerLog(logFile(config)));
  const connection = owned.use(await connectRedis(redis, logger, wait));
  const cluster = owned.use(await RedisCluster.connect({ url: redis, logger }, wait));
  const store = new RedisStore(connection, undefined, cluster);
  return {
    broker: { store, cluster, logger, ...(clusterUrl !== undefined && { clusterUrl }) },
    async token(name) {
      const made = randomBytes(24).toString("base64url");
      const value = await untilStoreAnswers(() => store.secret(name, () => made), wait);
      return { value, fresh: value === made };
    },
  };
}

/** Brokers of one machine may share a folder, so it says whose it is; the port of a broker on any free one says nothing. */
const logFile = ({ stateDir, port, logLevel }: Config): BrokerLogOptions =>
  port === 0
    ? { aloud: "warn" }
    : { file: join(stateDir, `broker-${port}.log`), level: logLevel, aloud: "warn" };

/** One store has one broker: a second one on another port must not find the first one's rooms. */
async function storeDir({ stateDir, port }: Config, owned: DisposalStack, clean: boolean): Promise<string> {
  if (port !== 0) {
    const folder = join(stateDir, clean ? `clean-store-${port}` : `store-${port}`);
    if (clean) await rm(folder, { recursive: true, force: true });
    return folder;
  }
  const folder = await mkdtemp(join(stateDir, "store-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
