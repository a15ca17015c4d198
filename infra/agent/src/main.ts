/** Entry point of an agent whose rooms run in processes. */
import { processCarrier } from "./carriers.js";
import { runAgentProcess } from "./run-agent-process.js";

runAgentProcess({ process: processCarrier });
