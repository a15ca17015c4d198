/** Rooms in virtual machines, one each: libvirt runs and moves them, and this agent drives it. */
import { type Carrier, type CarrierEvents, RoomRecords, SandboxCarrier, SandboxRooms } from "@centroid/agent";
import type { VmConfig } from "./base/config.js";
import { LocalLibvirt } from "./host/local-libvirt.js";
import { VmMoves } from "./migration/vm-moves.js";
import { VmSandboxes } from "./rooms/vm-sandboxes.js";

export interface VmCarrierOptions {
  hostId: string;
  vm: VmConfig;
  events: CarrierEvents;
}

export function vmCarrier({ hostId, vm, events }: VmCarrierOptions): Carrier {
  const libvirt = new LocalLibvirt(hostId, vm, (name) => moves.resumed(name));
  const sandboxes = new VmSandboxes(vm, libvirt);
  const records = new RoomRecords(vm.localGuestDirectory);
  const rooms = new SandboxRooms(records, sandboxes, events);
  const moves: VmMoves = new VmMoves({ hostId, vm, events, records, libvirt, rooms });
  return new SandboxCarrier({ sandboxes, records, rooms, moves, events });
}
