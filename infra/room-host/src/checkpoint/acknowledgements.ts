/**
 * What of a player's messages is confirmed to it, so that it may forget them: what survives this host. That is what
 * is in a saved state and, if the room has a standby, there as well: whichever of them the room goes on from has it.
 */
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";

/** Data frames of each session, by session id, that a copy of the room has in it. */
export type Received = ReadonlyMap<string, number>;

export type ConfirmedBy = "checkpoint" | "both";

export class Acknowledgements {
  readonly #room: MovableRoom;
  #saved: Received = new Map();
  #atStandby: Received = new Map();
  #by: ConfirmedBy = "checkpoint";

  constructor(room: MovableRoom) {
    this.#room = room;
  }

  set by(where: ConfirmedBy) {
    this.#by = where;
    if (where === "checkpoint") this.#atStandby = new Map();
  }

  /** A saved state has these. */
  saved(received: Received): void {
    this.#saved = received;
    this.#confirm();
  }

  /** The standby has these. */
  atStandby(received: Received): void {
    this.#atStandby = received;
    this.#confirm();
  }

  #confirm(): void {
    for (const { sessionId, link } of movableClients(this.#room)) {
      const saved = this.#saved.get(sessionId) ?? 0;
      const atStandby = this.#atStandby.get(sessionId) ?? 0;
      link.durable(this.#by === "checkpoint" ? saved : Math.min(saved, atStandby));
    }
  }
}

/** What this host has of each player. */
export function receivedSoFar(room: MovableRoom): Received {
  return new Map(movableClients(room).map(({ sessionId, link }) => [sessionId, link.received]));
}

/** Changes when the state was patched, a player came or went, or one sent something. */
export function checkpointVersion(room: MovableRoom): string {
  let received = 0;
  let sessions = "";
  for (const { sessionId, link } of movableClients(room)) {
    received += link.received;
    sessions += sessionId;
  }
  return `${room.move.patches.count}:${received}:${sessions}`;
}
