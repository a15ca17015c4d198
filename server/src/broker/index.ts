/** The broker: matchmaking, placement, moves, control API. */
export type { AddressBook } from "./address-book.js";
export { type Broker, startBroker } from "./broker.js";
export type { Bulletin, Cluster, ClusterEvents } from "./cluster/cluster.js";
export { RedisCluster } from "./cluster/redis-cluster.js";
export type { BrokerOptions } from "./options.js";
export { connectRedis } from "./redis/connection.js";
export { LmdbStore } from "./store/lmdb-store.js";
export { MemoryStore } from "./store/memory-store.js";
export { RedisStore } from "./store/redis-store.js";
export type { JournalEntry, RoomRecord, Store } from "./store/store.js";
