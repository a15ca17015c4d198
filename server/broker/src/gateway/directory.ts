/**
 * Where a socket may be taken: to processes that agents have reported rooms in, and to their beacons. What a request
 * says is looked up here and never dialled, so nobody reaches through the broker what players cannot reach anyway.
 */
import type { AddressBook } from "../hosts/address-book.js";
import { translateUrl } from "../hosts/address-book.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";

export interface SocketTarget {
  hostname: string;
  port: number;
  /** What is asked for there, without the query. */
  path: string;
}

export type SocketLookup =
  | { type: "target"; target: SocketTarget }
  /** It is known and not reachable just now. */
  | { type: "away" }
  | { type: "unknown" };

/** What the gateway needs to know of a deployment; a gateway in a process of its own has a copy. */
export interface Directory {
  room(processId: string, roomId: string, sessionId: string | null): SocketLookup;
  beacon(hostId: string, network: string | undefined): SocketLookup;
}

export class RegistryDirectory implements Directory {
  readonly #hosts: HostRegistry;
  readonly #rooms: RoomRegistry;
  readonly #addresses: AddressBook;

  constructor(o: { hosts: HostRegistry; rooms: RoomRegistry; addresses: AddressBook }) {
    this.#hosts = o.hosts;
    this.#rooms = o.rooms;
    this.#addresses = o.addresses;
  }

  /** A process that makes a place for the room is named by who follows it there; anybody else wants its owner. */
  room(processId: string, roomId: string, sessionId: string | null): SocketLookup {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return { type: "unknown" };
    const at = placeOf(room, processId);
    if (at === undefined || at.address === "") return { type: "away" };
    const network = sessionId === null ? undefined : room.sessions.get(sessionId)?.network;
    const address = this.#addresses.translate(at.address, at.hostId, network);
    return found(address, `/${at.processId}/${roomId}`);
  }

  beacon(hostId: string, network: string | undefined): SocketLookup {
    const host = this.#hosts.get(hostId);
    if (host === undefined) return { type: "unknown" };
    const url = translateUrl(this.#addresses, host.facts.beaconUrl, hostId, network);
    return found(url.replace(/^[a-z]+:\/\//, ""), "");
  }
}

function placeOf(room: RoomEntry, processId: string) {
  const { stage } = room;
  const offered = room.offered.find((place) => place.processId === processId);
  if (offered !== undefined) return offered;
  return "at" in stage ? { hostId: stage.hostId, ...stage.at } : undefined;
}

/** @param address `host:port[/path]` */
function found(address: string, path: string): SocketLookup {
  const [, host, port, prefix = ""] = /^(\[[^\]]+\]|[^:/[\]]+):(\d+)(\/.*)?$/.exec(address) ?? [];
  if (host === undefined) return { type: "away" };
  const hostname = host.replace(/^\[|\]$/g, "");
  return { type: "target", target: { hostname, port: Number(port), path: `${prefix}${path}` || "/" } };
}
