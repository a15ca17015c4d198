/** Where the agent with the carrier `container` is, for `startAgent`. */
import { fileURLToPath } from "node:url";

export const CONTAINER_AGENT_MAIN: string = fileURLToPath(new URL("./agent-main.js", import.meta.url));
