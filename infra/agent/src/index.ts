/** Starts edge agents, and what a carrier package needs to build on. */
export type { Carrier, CarrierEvents } from "./carrier/carrier.js";
export { roomEnvironment, roomVariableSchema } from "./carrier/room-environment.js";
export { processCarrier } from "./carriers.js";
export type { AgentConfig } from "./config.js";
export { runAgentProcess } from "./run-agent-process.js";
export { RoomRecords, roomIdOf, sandboxNameOf } from "./sandbox/room-records.js";
export { SandboxCarrier } from "./sandbox/sandbox-carrier.js";
export { REPLY_TIMEOUT_MS, type SandboxRoom, SandboxRooms } from "./sandbox/sandbox-rooms.js";
export type { LeftSandbox, RoomHostLine, Sandboxes } from "./sandbox/sandboxes.js";
export { type AgentProcess, startAgent } from "./start-agent.js";
