/** What a configuration means for the broker, and which configurations cannot work at all. */
import { resolve } from "node:path";
import { type BrokerLimits, type BrokerOptions, DEFAULT_LIMITS, REQUEST_BURST_S } from "@centroid/broker";
import { CentroidError } from "@centroid/protocol";
import type { Config } from "../config/config.js";

/** Listening there is listening everywhere, and no address that a player could dial. */
const EVERY_ADDRESS = new Set(["0.0.0.0", "::"]);

/** @throws CentroidError CONFIG_INVALID */
export function checkConfig(config: Config): void {
  const { bindHost, advertiseHost, emulate, carrier, isolation, roomEnv, app, rooms } = config;
  if (app !== undefined && rooms !== undefined)
    throw new CentroidError("CONFIG_INVALID", "app, rooms: the app names its rooms itself; give one of them");
  if (app !== undefined && carrier !== "process")
    throw new CentroidError(
      "CONFIG_INVALID",
      "app: a whole project runs with --carrier process only; pass its rooms with --rooms, or change the carrier",
    );
  if (isolation !== "shared" && carrier !== "process")
    throw new CentroidError(
      "CONFIG_INVALID",
      `isolation: with --carrier ${carrier} every room is apart from all others; remove it, or use the process carrier`,
    );
  if (carrier === "vm" && roomEnv.length > 0)
    throw new CentroidError(
      "CONFIG_INVALID",
      "roomEnv: virtual machines do not see their host's environment; remove it, or use the process carrier",
    );
  if (EVERY_ADDRESS.has(bindHost) && advertiseHost === undefined && !emulate) {
    throw new CentroidError(
      "CONFIG_INVALID",
      `bindHost: binding to ${bindHost} needs --advertise-host: the name players use to reach this machine`,
    );
  }
}

/** @throws CentroidError CONFIG_INVALID for one without the other */
export function tlsFiles({ tlsCert, tlsKey }: Config): { tls?: NonNullable<BrokerOptions["tls"]> } {
  if (tlsCert === undefined && tlsKey === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CentroidError("CONFIG_INVALID", "tlsCert, tlsKey: TLS needs both, the certificate and its key");
  return { tls: { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) } };
}

/** 0 lifts one of them. */
export function brokerLimits(config: Config): BrokerLimits {
  const { maxRequestsPerSecond: perSecond, maxUntakenSeats, maxEmptyRooms } = config;
  const none = Number.POSITIVE_INFINITY;
  return {
    ...DEFAULT_LIMITS,
    requests: { perSecond: perSecond || none, burst: perSecond * REQUEST_BURST_S || none },
    perAddress: { untakenSeats: maxUntakenSeats || none, emptyRooms: maxEmptyRooms || none },
  };
}
