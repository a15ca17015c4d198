/** Public API: start a broker in your own process. */
export {
  type AddressBook,
  type Broker,
  type BrokerOptions,
  type Bulletin,
  type Cluster,
  type ClusterEvents,
  connectRedis,
  type JournalEntry,
  LmdbStore,
  MemoryStore,
  RedisCluster,
  RedisStore,
  type RoomRecord,
  type Store,
  startBroker,
} from "./broker/index.js";
