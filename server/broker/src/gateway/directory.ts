/**
 * Where a session may be carried: to processes that agents have reported rooms in. A gateway gets with each answer what
 * opens that room host to it, for that session and no other; a session that the broker does not know gets nothing.
 */
import type {
  BeaconLookup,
  GatewayDirectory,
  HostBeacon,
  MeasuredByGateway,
  RoomLookup,
} from "@centroid/protocol";
import { gatewayKey, sessionPass, trunkSecret } from "@centroid/protocol/trunk";
import type { AddressBook } from "../hosts/address-book.js";
import { translateUrl } from "../hosts/address-book.js";
import { type HostRegistry, hostSummary } from "../hosts/host-registry.js";
import type { GatewayLegs } from "../probes/gateway-legs.js";
import type { ProbeIntake } from "../probes/probe-intake.js";
import type { SessionWays } from "../probes/session-ways.js";
import type { EndedRooms } from "../rooms/ended-rooms.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";

interface RegistryDirectoryOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  addresses: AddressBook;
  ended: EndedRooms;
  legs: GatewayLegs;
  sessionWays: Pick<SessionWays, "comesBy">;
  probeIntake: Pick<ProbeIntake, "measuredByGateway">;
  /** By which a host has joined: from that its room hosts derive what they check gateways by. */
  tokenOf: (hostId: string) => string | undefined;
}

/** What one gateway is told. */
export class RegistryDirectory implements GatewayDirectory {
  readonly #options: RegistryDirectoryOptions;
  readonly #gatewayId: string;

  constructor(options: RegistryDirectoryOptions, gatewayId: string) {
    this.#options = options;
    this.#gatewayId = gatewayId;
  }

  /** A process that makes a place for the room is named by who follows it there; anybody else wants its owner. */
  async room(processId: string, roomId: string, sessionId: string | null): Promise<RoomLookup> {
    const { hosts, rooms, addresses, ended, tokenOf } = this.#options;
    const room = rooms.get(roomId);
    const reason = room === undefined ? ended.reason(roomId) : undefined;
    if (reason !== undefined) return { type: "ended", error: reason.toWire() };
    if (room === undefined) return { type: "unknown" };
    const at = placeOf(room, processId);
    const host = at && hosts.get(at.hostId);
    if (at === undefined || host === undefined || at.address === "") return { type: "away" };
    const session = sessionId === null ? undefined : room.sessions.get(sessionId);
    if (sessionId !== null)
      this.#options.sessionWays.comesBy({ roomId, sessionId, gatewayId: this.#gatewayId });
    const address = addresses.translate(at.address, at.hostId, session?.network);
    const route = {
      type: "target",
      address,
      processId: at.processId,
      roomId,
      epoch: room.epoch,
      host: hostSummary(host),
      // It may be lost, though nobody can say so yet.
      restoring: room.stage.state === "restoring" || host.peer === undefined,
    } as const;
    // Rooms in machines of their own are dialled as players dial them.
    const token = tokenOf(at.hostId);
    if (host.facts.trunks !== true || room.carrier !== "process" || sessionId === null || token === undefined)
      return route;
    const secret = trunkSecret(token, at.processId);
    const gatewayId = this.#gatewayId;
    return {
      ...route,
      trunk: {
        key: gatewayKey(secret, gatewayId),
        pass: sessionPass(secret, { gatewayId, roomId, sessionId }),
      },
    };
  }

  async beacon(hostId: string, network: string | undefined): Promise<BeaconLookup> {
    const { hosts, addresses } = this.#options;
    const host = hosts.get(hostId);
    if (host === undefined) return { type: "unknown" };
    const url = translateUrl(addresses, host.facts.beaconUrl, hostId, network);
    return { type: "target", address: authorityOf(url) };
  }

  async measured({ hosts: measured, players = [] }: MeasuredByGateway): Promise<HostBeacon[]> {
    const { hosts, addresses, legs, probeIntake } = this.#options;
    const gatewayId = this.#gatewayId;
    legs.report(gatewayId, measured);
    probeIntake.measuredByGateway(players.map((player) => ({ ...player, gatewayId })));
    return legs.toMeasure(gatewayId).flatMap((hostId) => {
      const host = hosts.get(hostId);
      if (host === undefined) return [];
      const url = translateUrl(addresses, host.facts.beaconUrl, hostId, `gateway:${gatewayId}`);
      return [{ hostId, address: authorityOf(url) }];
    });
  }
}

const authorityOf = (url: string): string => url.replace(/^[a-z]+:\/\//, "");

function placeOf(room: RoomEntry, processId: string) {
  const { stage } = room;
  const offered = room.offered.find((place) => place.processId === processId);
  if (offered !== undefined) return offered;
  return "at" in stage ? { hostId: stage.hostId, ...stage.at } : undefined;
}
