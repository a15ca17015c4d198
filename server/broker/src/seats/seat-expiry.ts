/** Seats that nobody took. All live equally long, so the oldest is always in front and no timer per seat is needed. */
import type { Clock } from "../base/clock.js";
import type { RoomRegistry, RoomSession } from "../rooms/room-registry.js";

/** Colyseus gives a seat up after 15 s; the broker a little later, so that it never gives one up too early. */
const SEAT_TTL_MS = 20_000;

export class SeatExpiry {
  readonly #clock: Clock;
  readonly #rooms: RoomRegistry;
  #queue: { session: RoomSession; grantedAtMs: number }[] = [];
  #head = 0;

  constructor(clock: Clock, rooms: RoomRegistry) {
    this.#clock = clock;
    this.#rooms = rooms;
  }

  /** Its host has granted it just now, however long the room's onCreate() or onAuth() took before. */
  watch(session: RoomSession): void {
    this.#queue.push({ session, grantedAtMs: this.#clock.now() });
  }

  /** Frees what is over. */
  sweep(): void {
    const before = this.#clock.now() - SEAT_TTL_MS;
    for (;;) {
      const seat = this.#queue[this.#head];
      if (seat === undefined) break;
      const { session, grantedAtMs } = seat;
      if (session.stage.state === "reserved") {
        if (grantedAtMs > before) break;
        const room = this.#rooms.get(session.roomId);
        if (room?.sessions.get(session.sessionId) === session) this.#rooms.left(room, session.sessionId);
      }
      this.#head++;
    }
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }
}
