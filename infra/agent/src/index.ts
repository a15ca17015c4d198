/** Starts edge agents, and what a carrier package needs to build on. */
export type { Carrier, CarrierEvents } from "./carrier/carrier.js";
export { roomEnvironment, roomVariableSchema } from "./carrier/room-environment.js";
export { processCarrier } from "./carriers.js";
export type { AgentConfig } from "./config.js";
export { runAgentProcess } from "./run-agent-process.js";
export { compileProgram } from "./sandbox/compile.js";
export { GuestAddresses } from "./sandbox/guest-addresses.js";
export { checkAddresses, readHostSettings } from "./sandbox/host-settings.js";
export { RoomRecords, roomIdOf, sandboxNameOf } from "./sandbox/room-records.js";
export { CommandError, run } from "./sandbox/run.js";
export { SandboxCarrier } from "./sandbox/sandbox-carrier.js";
export {
  type AddressRange,
  addressAt,
  countOf,
  guestMac,
  ipv4Number,
  ipv4Text,
  isWithin,
  macOf,
  networkOf,
} from "./sandbox/sandbox-network.js";
export { REPLY_TIMEOUT_MS, type SandboxRoom, SandboxRooms } from "./sandbox/sandbox-rooms.js";
export type { LeftSandbox, RoomHostLine, Sandboxes } from "./sandbox/sandboxes.js";
export { SandboxSilenceMeter } from "./sandbox/silence-meter.js";
export { waitFor } from "./sandbox/wait.js";
export { type AgentProcess, startAgent } from "./start-agent.js";
