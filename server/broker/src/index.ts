/** The broker: matchmaking, placement, moves, control API. */

export { WaitingPort } from "./api/waiting-port.js";
export { type StoreWait, untilStoreAnswers } from "./base/await-store.js";
export { type BrokerLimits, DEFAULT_LIMITS, REQUEST_BURST_S } from "./base/limits.js";
export { type Broker, startBroker } from "./broker.js";
export { type BrokerLogOptions, openBrokerLog } from "./broker-log.js";
export type { Cluster, ClusterEvents, ClusterMessage } from "./cluster/cluster.js";
export { RedisCluster } from "./cluster/redis-cluster.js";
export type { AddressBook } from "./hosts/address-book.js";
export type { BrokerOptions } from "./options.js";
export { parseRedisAddress } from "./redis/address.js";
export { connectRedis } from "./redis/connection.js";
export { LmdbStore } from "./store/lmdb-store.js";
export { MemoryStore } from "./store/memory-store.js";
export { RedisStore } from "./store/redis-store.js";
export type { JournalEntry, RoomRecord, Store } from "./store/store.js";
export { assertWritable } from "./store/writable-folder.js";
