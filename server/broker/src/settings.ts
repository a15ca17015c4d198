/** What reading a configuration needs to know of brokers; loads in a fraction of the time that a broker takes. */
export { DEFAULT_LIMITS } from "./base/limits.js";
export { LOG_LEVELS } from "./base/logger.js";
export { parseRedisAddress } from "./redis/address.js";
