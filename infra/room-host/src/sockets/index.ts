/** One interface over uWebSockets.js and ws, for all that listens on a host. */
export { listen } from "./listen.js";
export { explainUwsFailure, uwsProblem } from "./native.js";
export type { RunningServer, ServerSocket } from "./server-socket.js";
