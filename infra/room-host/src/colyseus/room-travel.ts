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

export class RoomTravel implements HostTravel {
  readonly #room: Room;
  readonly #activity: RoomActivity;
  readonly #ask: DeploymentAccess["ask"] | undefined;

  constructor(room: Room, activity: RoomActivity, ask: DeploymentAccess["ask"] | undefined) {
    this.#room = room;
    this.#activity = activity;
    this.#ask = ask;
  }

  travelTo(target: TravelTarget, options: TravelOptions): Promise<Travelled> {
    // The room does not move in the middle of it: its players would not hear of their seats.
    return this.#activity.track(this.#go(target, options)) as Promise<Travelled>;
  }

  async #go(target: TravelTarget, { clients, options }: TravelOptions): Promise<Travelled> {
    if (this.#ask === undefined)
      throw new CentroidError("CARRIER_UNAVAILABLE", "this process has no broker to ask for another room");
    const going = this.#present(clients);
    const question: RoomQuestion = {
      method: "travel",
      roomId: this.#room.roomId,
      to: typeof target === "string" ? { name: target } : { roomId: target.roomId },
      options: options ?? {},
      players: going.map(({ sessionId, auth }) => ({ sessionId, ...(auth !== undefined && { auth }) })),
    };
    const { roomId, seats } = readWire(
      travelAnswerSchema,
      await this.#ask(question),
      "PROTOCOL_VERSION",
      "the broker's answer",
    );
    const refused: Travelled["refused"][number][] = [];
    for (const { sessionId, seat, error } of seats) {
      const client = this.#room.clients.getById(sessionId);
      if (seat !== undefined) client?.send(TRAVEL_MESSAGE, seat);
      else if (error !== undefined) refused.push({ sessionId, code: error.code, message: error.message });
    }
    return { roomId, refused };
  }

  /** @throws CentroidError SESSION_NOT_FOUND */
  #present(chosen: TravelOptions["clients"]): Client[] {
    const { clients, roomId } = this.#room;
    const going = [...(chosen ?? clients)].map(({ sessionId }) => {
      const client = clients.getById(sessionId);
      if (client !== undefined) return client;
      throw new CentroidError("SESSION_NOT_FOUND", `no client ${sessionId} is in room ${roomId}`);
    });
    if (going.length > 0) return going;
    throw new CentroidError("SESSION_NOT_FOUND", `nobody to send anywhere from room ${roomId}`);
  }
}
