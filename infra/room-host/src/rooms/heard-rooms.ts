/** Which rooms a room hears by presence, and how often, told rarely: rooms that talk are better off near each other. */
import { MAX_HEARD_ROOMS, type RoomEvent } from "@centroid/protocol";

const REPORT_MS = 5_000;
const MS_PER_S = 1_000;
/** A room that is heard more rarely says nothing that anybody waits for. */
const LEAST_PER_S = 0.2;
/** A change of less is none. */
const NOTABLE_SHARE = 0.25;

type Heard = Extract<RoomEvent, { event: "hears" }>["rooms"];

export class HeardRooms implements Disposable {
  readonly #takeCounts: () => ReadonlyMap<string, number>;
  readonly #tell: (rooms: Heard) => void;
  readonly #timer: NodeJS.Timeout;
  /** Undefined at first: what was told at another host may not hold any more. */
  #told: Heard | undefined;

  /** @param takeCounts messages since it was called last, by the room that said them */
  constructor(takeCounts: () => ReadonlyMap<string, number>, tell: (rooms: Heard) => void) {
    this.#takeCounts = takeCounts;
    this.#tell = tell;
    this.#timer = setInterval(() => this.#report(), REPORT_MS).unref();
  }

  #report(): void {
    const rooms = [...this.#takeCounts()]
      .map(([roomId, count]) => ({ roomId, perSecond: (count * MS_PER_S) / REPORT_MS }))
      .filter(({ perSecond }) => perSecond >= LEAST_PER_S)
      .sort((a, b) => b.perSecond - a.perSecond)
      .slice(0, MAX_HEARD_ROOMS);
    if (!this.#isNews(rooms)) return;
    this.#told = rooms;
    this.#tell(rooms);
  }

  #isNews(rooms: Heard): boolean {
    const told = this.#told;
    if (rooms.length !== told?.length) return true;
    return rooms.some(({ roomId, perSecond }) => {
      const before = told.find((one) => one.roomId === roomId)?.perSecond ?? 0;
      return Math.abs(perSecond - before) > NOTABLE_SHARE * before;
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
