/** Entry point of an agent whose rooms run in virtual machines; it can run them in processes too. */

import { processCarrier, runAgentProcess } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { vmConfigSchema } from "./base/config.js";
import { vmCarrier } from "./vm-carrier.js";

runAgentProcess({
  process: processCarrier,
  vm: ({ hostId, vm: settings }, events) => {
    const parsed = vmConfigSchema.safeParse(settings);
    if (!parsed.success)
      throw new CentroidError(
        "CONFIG_INVALID",
        `agent ${hostId}: settings of the carrier vm: ${z.prettifyError(parsed.error)}`,
      );
    return vmCarrier({ hostId, vm: parsed.data, events });
  },
});
