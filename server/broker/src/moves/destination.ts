/** Where a room's own host and its players reach another host that makes a place for the room. */
import type { Destination, RoomSlot } from "@centroid/protocol";
import { type AddressBook, translateUrl } from "../hosts/address-book.js";
import type { HostEntry } from "../hosts/host-registry.js";
import type { RoomEntry } from "../rooms/room-registry.js";

export function destinationOf(
  addresses: AddressBook,
  room: RoomEntry,
  slot: RoomSlot,
  { facts: { hostId, name, latitude, longitude } }: HostEntry,
): Destination {
  const networks = new Set(["", ...[...room.sessions.values()].map(({ network }) => network ?? "")]);
  return {
    hostId,
    name,
    latitude,
    longitude,
    processId: slot.processId,
    transferUrl: translateUrl(addresses, slot.transferUrl, hostId, `host:${room.stage.hostId}`),
    ticket: slot.ticket,
    addresses: Object.fromEntries(
      [...networks].map((network) => [
        network,
        addresses.translate(slot.address, hostId, network === "" ? undefined : network),
      ]),
    ),
  };
}
