/** The connection between a gateway and a room host: many sessions on one socket. */

export { Channel, MAX_KEPT_BYTES } from "./channel.js";
export {
  type CountedFrame,
  closeBoundary,
  encodeTrunkFrame,
  openBoundary,
  readTrunkPack,
  type StreamOpening,
  type TrunkFrame,
  type TrunkHello,
  type TrunkReader,
} from "./frames.js";
export { gatewayKey, passAdmits, sessionPass, trunkSecret } from "./keys.js";
export { TrunkPacker } from "./packer.js";
