/** How an agent program makes its carriers from its configuration. */
import type { CarrierKind } from "@centroid/protocol";
import { trunkSecret } from "@centroid/protocol/trunk";
import { AppProcess } from "./carrier/app-process.js";
import type { Carrier, CarrierEvents } from "./carrier/carrier.js";
import { ProcessCarrier } from "./carrier/process-carrier.js";
import { roomEnvironment } from "./carrier/room-environment.js";
import type { ResolvedAgentConfig } from "./config.js";

/** Makes a carrier of one kind. @throws CentroidError CONFIG_INVALID */
export type CarrierFactory = (config: ResolvedAgentConfig, events: CarrierEvents) => Carrier;
/** The carriers that a program has. */
export type CarrierFactories = Partial<Record<CarrierKind, CarrierFactory>>;

/** The HTTP side of the project whose rooms this agent runs. */
export function makeApp(config: ResolvedAgentConfig, events: CarrierEvents): AppProcess {
  const { bindHost, advertiseHost = bindHost, roomsBundle, roomEnv } = config;
  const environment = roomEnvironment(process.env, roomEnv);
  return new AppProcess({ bindHost, advertiseHost, roomsBundle, environment, events });
}

export const processCarrier: CarrierFactory = (config, events) => {
  const { hostId, bindHost, advertiseHost = bindHost, roomsBundle } = config;
  const { checkpointIntervalMs, compareIntervalMs, maxFramesPerSecond, maxBytesPerSecond } = config;
  return new ProcessCarrier({
    hostId,
    bindHost,
    advertiseHost,
    roomsBundle,
    checkpointIntervalMs,
    compareIntervalMs,
    maxFramesPerSecond,
    maxBytesPerSecond,
    isolation: config.isolation,
    trunkSecret: (processId) => trunkSecret(config.token, processId),
    environment: roomEnvironment(process.env, config.roomEnv),
    events,
  });
};
