/** Owns players' sockets: in a process of its own, or inside a broker's. */
export { embeddedGateway } from "./embedded.js";
export { type GatewayServer, startGateway } from "./gateway-server.js";
