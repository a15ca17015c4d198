/**
 * What a broker that is away has to hear once it is back and no hello tells again: how a move ended, who lost whom. Only
 * the last of each kind counts, and only while its room is here and its player in it, so that this stays as small as the
 * host is for however long the broker is away.
 */
import { type AgentToBroker, forgetOldest, type RoomEvent } from "@centroid/protocol";

export type RoomMessage = Extract<AgentToBroker, { type: "room" }>;

/** Rooms and players of a room, the oldest of which are forgotten first: far more than one host has. */
const MAX_ROOMS = 10_000;
const MAX_PLAYERS = 10_000;

interface Unsent {
  /** By event. A room has one move and one standby at a time: what came before is over. */
  news: Map<RoomEvent["event"], RoomMessage>;
  /** By session: what players saw of the last move. */
  reports: Map<string, RoomMessage>;
}

export class UnsentNews {
  readonly #rooms = new Map<string, Unsent>();

  /** Keeps what only this message says, and forgets what it ends. */
  note(message: RoomMessage): void {
    const { roomId, change } = message;
    switch (change.event) {
      case "owned":
      case "standby-broken":
      case "standby-orphaned": {
        const { news } = this.#of(roomId);
        news.delete(change.event);
        news.set(change.event, message);
        return;
      }
      case "report": {
        const { reports } = this.#of(roomId);
        reports.delete(change.sessionId);
        reports.set(change.sessionId, message);
        forgetOldest(reports, MAX_PLAYERS);
        return;
      }
      case "left":
        this.#rooms.get(roomId)?.reports.delete(change.sessionId);
        return;
      case "disposed":
      case "lost":
        this.forget(roomId);
        return;
      default:
    }
  }

  /** The room is not here any more: whoever decides about it hears the rest from where it is. */
  forget(roomId: string): void {
    this.#rooms.delete(roomId);
  }

  /** All of it, each room's in the order in which it came; nothing is kept. */
  take(): RoomMessage[] {
    const all = [...this.#rooms.values()].flatMap(({ news, reports }) => [
      ...news.values(),
      ...reports.values(),
    ]);
    this.#rooms.clear();
    return all;
  }

  #of(roomId: string): Unsent {
    const unsent = this.#rooms.get(roomId) ?? { news: new Map(), reports: new Map() };
    this.#rooms.delete(roomId);
    this.#rooms.set(roomId, unsent);
    forgetOldest(this.#rooms, MAX_ROOMS);
    return unsent;
  }
}
