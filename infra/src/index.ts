/** Edge agents, room bundles, and the emulated network of the demo. */
export type { AgentConfig } from "./agent/config.js";
export { type AgentProcess, startAgent } from "./agent/start-agent.js";
export { roomVariableSchema } from "./carriers/room-environment.js";
export * from "./carriers/vm/index.js";
export * from "./lab/index.js";
export * from "./relay/index.js";
export type { MoveHooks } from "./roomhost/colyseus/core-internals.js";
export type { RoomMarks } from "./roomhost/colyseus/movable-room.js";
export { bundleRooms, type RoomsBundle } from "./rooms/bundle-rooms.js";
export { explainUwsFailure, uwsProblem } from "./websocket/native.js";
