/** Which rooms talk with which, and each of them as it was when it was last looked at. */
import type { RoomTie } from "./decide/ties.js";
import type { RoomFacts } from "./trace/trace.js";

const NONE: readonly RoomTie[] = [];

export class Neighbours {
  /** Rooms that have been looked at. */
  readonly #rooms = new Map<string, RoomFacts>();
  /** By room and room, both ways: players of both that the talk concerns. */
  readonly #ties = new Map<string, Map<string, number>>();

  see(room: RoomFacts): void {
    this.#rooms.set(room.roomId, room);
  }

  tie(roomId: string, otherId: string, players: number): void {
    if (roomId === otherId) return;
    this.#set(roomId, otherId, players);
    this.#set(otherId, roomId, players);
  }

  forget(roomId: string): void {
    this.#rooms.delete(roomId);
    for (const other of this.#ties.get(roomId)?.keys() ?? []) this.#ties.get(other)?.delete(roomId);
    this.#ties.delete(roomId);
  }

  /** Those that run somewhere. */
  of(roomId: string): readonly RoomTie[] {
    const tied = this.#ties.get(roomId);
    if (tied === undefined) return NONE;
    const ties: RoomTie[] = [];
    for (const [otherId, players] of tied) {
      const room = this.#rooms.get(otherId);
      if (room?.hostId === undefined) continue;
      const others: { hostId: string; players: number }[] = [];
      for (const [thirdId, concerned] of this.#ties.get(otherId) ?? []) {
        const hostId = thirdId === roomId ? undefined : this.#rooms.get(thirdId)?.hostId;
        if (hostId !== undefined) others.push({ hostId, players: concerned });
      }
      const { work: _, activity: _activity, name, ...view } = room;
      ties.push({ room: { ...view, roomType: name }, players, others });
    }
    return ties;
  }

  #set(roomId: string, otherId: string, players: number): void {
    const known = this.#ties.get(roomId);
    if (players > 0) {
      if (known === undefined) this.#ties.set(roomId, new Map([[otherId, players]]));
      else known.set(otherId, players);
      return;
    }
    known?.delete(otherId);
    if (known?.size === 0) this.#ties.delete(roomId);
  }
}
