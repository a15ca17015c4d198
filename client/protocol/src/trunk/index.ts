/** The connection between a gateway and a room host: many sessions on one socket. */

export { Channel, MAX_KEPT_BYTES } from "./channel.js";
export {
  decodeTrunkFrame,
  encodeTrunkData,
  encodeTrunkFrame,
  type StreamOpening,
  type TrunkHello,
} from "./frames.js";
export { gatewayKey, passAdmits, sessionPass, trunkSecret } from "./keys.js";
