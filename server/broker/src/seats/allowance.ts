/** Counts what somebody holds without using it: seats that nobody has taken yet, and rooms in which nobody is. */
import { type HeldLimits, LimitReached } from "../base/limits.js";
import type { RoomEntry, RoomSession } from "../rooms/room-registry.js";

/** Who comes takes a seat within seconds; who does not has it for twenty. */
const RETRY_AFTER_S = 5;

interface Held {
  joining: number;
  readonly seats: Map<RoomSession, { room: RoomEntry; made: boolean }>;
}

/** One matchmaking request, from its start to its answer. */
export interface Visit extends Disposable {
  /** It is about to make a room. @throws LimitReached */
  mayMakeRoom(): void;
  took(session: RoomSession, room: RoomEntry, made: boolean): void;
}

export class Allowance {
  /** No limit if not given. */
  readonly #limits: HeldLimits | undefined;
  readonly #whose: string;
  readonly #held = new Map<string, Held>();

  /** @param whose "address" or "player", for the words of a refusal */
  constructor(limits: HeldLimits | undefined, whose: string) {
    this.#limits = limits;
    this.#whose = whose;
  }

  /** @throws LimitReached if there are too many untaken seats already */
  enter(key: string): Visit {
    const limits = this.#limits;
    if (limits === undefined) return UNLIMITED;
    const held = this.#held.get(key) ?? { joining: 0, seats: new Map() };
    this.#held.set(key, held);
    prune(held);
    if (held.joining + held.seats.size >= limits.untakenSeats)
      throw this.#reached(`${limits.untakenSeats} seats that nobody has taken yet`);
    held.joining++;
    return {
      mayMakeRoom: () => {
        prune(held);
        const empty = [...held.seats.values()].filter(({ made }) => made).length;
        if (empty >= limits.emptyRooms)
          throw this.#reached(`${limits.emptyRooms} rooms that nobody is in yet`);
      },
      took: (session, room, made) => void held.seats.set(session, { room, made }),
      [Symbol.dispose]: () => {
        held.joining--;
        prune(held);
        if (held.joining === 0 && held.seats.size === 0) this.#held.delete(key);
      },
    };
  }

  /** To be called now and then: forgets who holds nothing any more. */
  sweep(): void {
    for (const [key, held] of this.#held) {
      prune(held);
      if (held.joining === 0 && held.seats.size === 0) this.#held.delete(key);
    }
  }

  #reached(what: string): LimitReached {
    return new LimitReached(
      `this ${this.#whose} has ${what}; join those, or try again shortly`,
      RETRY_AFTER_S,
    );
  }
}

const UNLIMITED: Visit = {
  mayMakeRoom: () => undefined,
  took: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** Forgets seats that were taken or given up. */
function prune({ seats }: Held): void {
  for (const [session, { room }] of seats)
    if (session.stage.state !== "reserved" || room.sessions.get(session.sessionId) !== session)
      seats.delete(session);
}
