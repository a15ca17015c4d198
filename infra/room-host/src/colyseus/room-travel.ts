/** Players of a room who go to another: asks the broker for their seats there and tells each of its own. */
import {
  CentroidError,
  type RoomQuestion,
  readWire,
  TRAVEL_MESSAGE,
  travelAnswerSchema,
} from "@centroid/protocol";
import type { HostTravel, Travelled, TravelOptions, TravelTarget } from "@centroid/room";
import type { Client, Room } from "@colyseus/core";
import type { DeploymentAccess } from "./deployment-matchmaker.js";
import type { RoomActivity } from "./room-activity.js";

export interface RoomTravelOptions {
  room: Room;
  activity: RoomActivity;
  /** None if there is no more than this process. */
  ask: DeploymentAccess["ask"] | undefined;
  /** False while another host runs the room and this one only follows it. */
  speaks: () => boolean;
}

export class RoomTravel implements HostTravel {
  readonly #options: RoomTravelOptions;

  constructor(options: RoomTravelOptions) {
    this.#options = options;
  }

  travelTo(target: TravelTarget, options: TravelOptions): Promise<Travelled> {
    // The room does not move in the middle of it: its players would not hear of their seats.
    return this.#options.activity.track(this.#go(target, options)) as Promise<Travelled>;
  }

  async #go(target: TravelTarget, { clients, options }: TravelOptions): Promise<Travelled> {
    const { room, ask, speaks } = this.#options;
    if (!speaks())
      throw new CentroidError("ROOM_MOVING", "the room is on its way; its players go from where it is");
    if (ask === undefined)
      throw new CentroidError("CARRIER_UNAVAILABLE", "this process has no broker to ask for another room");
    const going = this.#present(clients);
    const question: RoomQuestion = {
      method: "travel",
      roomId: room.roomId,
      to: typeof target === "string" ? { name: target } : { roomId: target.roomId },
      options: options ?? {},
      players: going.map(({ sessionId, auth }) => ({ sessionId, ...(auth !== undefined && { auth }) })),
    };
    const { roomId, seats } = readWire(
      travelAnswerSchema,
      await ask(question),
      "PROTOCOL_VERSION",
      "the broker's answer",
    );
    const refused: Travelled["refused"][number][] = [];
    for (const { sessionId, seat, error } of seats) {
      const client = room.clients.getById(sessionId);
      if (seat !== undefined) client?.send(TRAVEL_MESSAGE, seat);
      else if (error !== undefined) refused.push({ sessionId, code: error.code, message: error.message });
    }
    return { roomId, refused };
  }

  /** @throws CentroidError SESSION_NOT_FOUND */
  #present(chosen: TravelOptions["clients"]): Client[] {
    const { clients, roomId } = this.#options.room;
    const going = [...(chosen ?? clients)].map(({ sessionId }) => {
      const client = clients.getById(sessionId);
      if (client !== undefined) return client;
      throw new CentroidError("SESSION_NOT_FOUND", `no client ${sessionId} is in room ${roomId}`);
    });
    if (going.length > 0) return going;
    throw new CentroidError("SESSION_NOT_FOUND", `nobody to send anywhere from room ${roomId}`);
  }
}
