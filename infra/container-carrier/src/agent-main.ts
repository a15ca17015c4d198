/** Entry point of an agent whose rooms run in containers; it can run them in processes too. */
import { mkdirSync, readFileSync } from "node:fs";
import { processCarrier, roomEnvironment, runAgentProcess } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { containerConfigSchema } from "./base/config.js";
import { roomUser } from "./container/room-user.js";
import { containerCarrier } from "./container-carrier.js";

runAgentProcess({
  process: processCarrier,
  container: (agent, events) => {
    const { hostId, checkpointIntervalMs, maxFramesPerSecond, maxBytesPerSecond, roomEnv } = agent;
    const parsed = containerConfigSchema.safeParse(agent.container);
    if (!parsed.success)
      throw new CentroidError(
        "CONFIG_INVALID",
        `agent ${hostId}: settings of the carrier container: ${z.prettifyError(parsed.error)}`,
      );
    mkdirSync(parsed.data.directory, { recursive: true });
    const environment = roomEnvironment(process.env, roomEnv);
    return containerCarrier({
      config: parsed.data,
      user: roomUser(readFileSync("/proc/self/status", "utf8")),
      settings: { checkpointIntervalMs, maxFramesPerSecond, maxBytesPerSecond, environment },
      events,
    });
  },
});
