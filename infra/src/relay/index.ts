/** Emulated distance between players and hosts on one machine: a userspace TCP relay. */
export type { RelayOptions, RelayStatus } from "./config.js";
export { RelayControl } from "./control-client.js";
export { type Relay, startRelay } from "./start-relay.js";
