/** Rooms in containers, one each: this agent starts and ends them, and moves them with criu. */
import { type Carrier, type CarrierEvents, RoomRecords, SandboxCarrier, SandboxRooms } from "@centroid/agent";
import type { ContainerConfig } from "./base/config.js";
import { Containers, type RoomHostSettings } from "./container/containers.js";
import { openCriu } from "./criu/criu.js";
import { ContainerMoves } from "./migration/container-moves.js";
import { ContainerSandboxes } from "./rooms/container-sandboxes.js";

export interface ContainerCarrierOptions {
  readonly config: ContainerConfig;
  /** Whom rooms run as; see `roomUser`. */
  readonly user: number;
  readonly settings: RoomHostSettings;
  readonly events: CarrierEvents;
}

export function containerCarrier({ config, user, settings, events }: ContainerCarrierOptions): Carrier {
  const containers = new Containers(config, user);
  const sandboxes = new ContainerSandboxes(containers, settings, events.notice);
  const records = new RoomRecords(config.directory);
  const rooms = new SandboxRooms(records, sandboxes, events);
  const criu = () => openCriu(containers.criuWorker);
  const moves = new ContainerMoves({ containers, sandboxes, rooms, records, events, criu });
  return new SandboxCarrier({ sandboxes, records, rooms, moves, events });
}
