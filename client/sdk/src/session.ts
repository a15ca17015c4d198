/** A player's end of a session without Colyseus' client: for whoever stands in for a player whose own client is stock. */
export { bytesOf, type FrameBytes, type SessionSocket } from "./dial.js";
export { MigratingTransport } from "./migrating-transport.js";
export { Prober } from "./prober.js";
