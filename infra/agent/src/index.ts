/** Starts edge agents, and what a carrier package needs to build on. */
export type { Carrier, CarrierEvents } from "./carrier/carrier.js";
export { roomEnvironment, roomVariableSchema } from "./carrier/room-environment.js";
export { roomHostMessages } from "./carrier/room-host-messages.js";
export { processCarrier } from "./carriers.js";
export type { AgentConfig } from "./config.js";
export { runAgentProcess } from "./run-agent-process.js";
export { type AgentProcess, startAgent } from "./start-agent.js";
