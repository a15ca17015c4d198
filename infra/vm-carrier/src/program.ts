/** Where the agent with the carrier `vm` is, for `startAgent`. */
import { fileURLToPath } from "node:url";

export const VM_AGENT_MAIN: string = fileURLToPath(new URL("./agent-main.js", import.meta.url));
