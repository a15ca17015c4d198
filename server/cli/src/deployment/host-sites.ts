/** The hosts that a deployment starts: those of its configuration, or the first ones of the demo world. */
import type { AgentConfig } from "@centroid/agent";
import { loadWorld } from "@centroid/bots";
import { CentroidError } from "@centroid/protocol";
import type { Config } from "../config/config.js";

export type HostSite = Pick<AgentConfig, "hostId" | "name" | "latitude" | "longitude"> & {
  region?: string;
  capacityRooms?: number;
  costPerHour?: number;
};

/** @throws CentroidError CONFIG_INVALID */
export function hostSites(config: Config): HostSite[] {
  if (typeof config.hosts !== "number") {
    return config.hosts.map(({ region, capacityRooms, costPerHour, ...site }) => ({
      ...site,
      ...(region !== undefined && { region }),
      ...(capacityRooms !== undefined && { capacityRooms }),
      ...(costPerHour !== undefined && { costPerHour }),
    }));
  }
  const { hosts } = loadWorld();
  if (config.hosts > hosts.length) {
    throw new CentroidError(
      "CONFIG_INVALID",
      `hosts: the demo world has ${hosts.length}; list your own in centroid.config.ts for more`,
    );
  }
  return hosts.slice(0, config.hosts).map(({ cityId, name, latitude, longitude, region }) => ({
    hostId: cityId,
    name,
    latitude,
    longitude,
    region,
  }));
}
