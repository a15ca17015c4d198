/**
 * How much a room's players do just now, so that it moves while an interruption hurts least: from the frames that each of
 * them sends, or as the room's author says in `calm`. Frames are only counted, twice a second. Every few seconds it is also
 * told who of them says and sees how much.
 */
import type { RoomTraffic } from "@centroid/protocol";
import type { RoomMoment } from "@centroid/room";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import type { SessionLink } from "../sessions/session-link.js";
import { TrafficSampler } from "./traffic-sampler.js";

const SAMPLE_MS = 500;
/** Who has sent nothing in so many samples, 3 s, does nothing. */
const SAMPLES = 6;
const MS_PER_S = 1_000;
/** Who sends so many frames a second is in the middle of something. */
const ACTING_PER_S = 2;
/** A change of less is not told, unless all have stopped or the first has begun. */
const NOTABLE = 0.2;
/** Who says how much is told once in so many samples, 5 s. */
const TRAFFIC_SAMPLES = 10;

/** Only with traffic, if it is routine: the activity is as it was told before. */
type Tell = (activity: number, players: RoomTraffic | undefined, isRoutine: boolean) => void;

export class PlayerActivity implements Disposable {
  readonly #room: MovableRoom;
  readonly #tell: Tell;
  readonly #traffic: TrafficSampler;
  readonly #timer: NodeJS.Timeout;
  /** Frames that each player had sent by the last samples, oldest first. */
  readonly #counts = new WeakMap<SessionLink, number[]>();
  #samples = 0;
  #told: number | undefined;

  /** @param tell hears it when it has changed */
  constructor(room: MovableRoom, tell: Tell) {
    this.#room = room;
    this.#tell = tell;
    this.#traffic = new TrafficSampler(room, SAMPLE_MS);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  /** As it was told last; undefined before there was anything to tell. */
  get report(): number | undefined {
    return this.#told;
  }

  #sample(): void {
    // While it stands still what players send waits, and is not counted.
    if (this.#room.move.clock.held) return;
    const counted = this.#counted();
    const { calm } = this.#room as RoomMoment;
    const isSaid = typeof calm === "boolean";
    // A room that has just come here has not seen for long enough that nobody does anything.
    this.#samples++;
    this.#traffic.sample();
    if (this.#samples <= SAMPLES && counted === 0 && !isSaid) return;
    const players = this.#samples % TRAFFIC_SAMPLES === 0 ? this.#traffic.take() : undefined;
    const now = isSaid ? Number(!calm) : counted;
    const told = this.#told;
    const isNews = told === undefined || Math.abs(now - told) >= NOTABLE || (now === 0) !== (told === 0);
    if (isNews) this.#told = now;
    else if (players === undefined) return;
    this.#tell(isNews ? now : told, players, !isNews);
  }

  /** In the mean of its players: a freeze is felt by each of them. */
  #counted(): number {
    let sum = 0;
    const clients = movableClients(this.#room);
    for (const { link } of clients) {
      const counts = this.#counts.get(link) ?? [];
      this.#counts.set(link, counts);
      counts.push(link.received);
      if (counts.length > SAMPLES + 1) counts.shift();
      const sent = link.received - (counts[0] ?? link.received);
      const overMs = (counts.length - 1) * SAMPLE_MS;
      if (sent > 0) sum += Math.min(1, (sent * MS_PER_S) / overMs / ACTING_PER_S);
    }
    return clients.length === 0 ? 0 : sum / clients.length;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
