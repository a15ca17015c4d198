/**
 * Who is connected in which room of this host, and which broker is told of it. The one that decides about a room is told of
 * each who comes and goes, and of all who are there when it begins to decide; the others get the number now and then.
 */
import type { AgentToBroker, RoomCount, RoomReport, Seated } from "@centroid/protocol";
import type { BrokerLink } from "./broker-link.js";

/** Between two counts; the first change after a while is told sooner, along with what happens at the same time. */
const COUNT_INTERVAL_MS = 1_000;
const FIRST_COUNT_MS = 20;

type RoomMessage = Extract<AgentToBroker, { type: "room" }>;

interface KnownRoom {
  epoch: number;
  sessions: Map<string, Seated>;
}

export class RoomPlayers implements Disposable {
  readonly #links: readonly Pick<BrokerLink, "tracks" | "room" | "counts">[];
  readonly #rooms = new Map<string, KnownRoom>();
  /** Rooms to be counted, with who came there since the last time. */
  readonly #changed = new Map<string, string[]>();
  #timer: NodeJS.Timeout | undefined;
  #countedAtMs = Number.NEGATIVE_INFINITY;

  /** @param links to all brokers; may still grow */
  constructor(links: readonly Pick<BrokerLink, "tracks" | "room" | "counts">[]) {
    this.#links = links;
  }

  /** Something happened in a room. What all brokers have to know is told by the caller. */
  note(message: RoomMessage): void {
    const { roomId, epoch, change } = message;
    const room = this.#rooms.get(roomId);
    switch (change.event) {
      case "running":
        this.#put(roomId, epoch, change.report.sessions);
        return;
      case "disposed":
      case "lost":
        if (room !== undefined && room.epoch <= epoch) this.forget(roomId);
        return;
      case "joined": {
        const { event: _, ...seated } = change;
        room?.sessions.set(seated.sessionId, seated);
        this.#cameOrWent(message, seated.sessionId);
        return;
      }
      case "left":
        room?.sessions.delete(change.sessionId);
        this.#cameOrWent(message, undefined);
        return;
      default:
    }
  }

  /** As carriers report their rooms; what happened in a room meanwhile is newer. */
  reported(reports: readonly RoomReport[]): void {
    for (const { roomId, epoch, sessions, passive } of reports)
      if (!passive && !this.#rooms.has(roomId)) this.#put(roomId, epoch, sessions);
  }

  /** The room is not here any more. */
  forget(roomId: string): void {
    this.#rooms.delete(roomId);
    this.#changed.delete(roomId);
  }

  /** A broker wants to know from now on who is in these rooms. */
  tellAll(link: Pick<BrokerLink, "room">, of: (roomId: string) => boolean): void {
    for (const [roomId, { epoch, sessions }] of this.#rooms)
      if (of(roomId))
        link.room({
          type: "room",
          roomId,
          epoch,
          change: { event: "seated", sessions: [...sessions.values()] },
        });
  }

  /** A broker was away, or does not track a room any more: it may have missed who came and went. */
  countAll(): void {
    for (const roomId of this.#rooms.keys()) this.#count(roomId, undefined);
  }

  #put(roomId: string, epoch: number, sessions: readonly Seated[]): void {
    this.#rooms.set(roomId, {
      epoch,
      sessions: new Map(sessions.map((seated) => [seated.sessionId, seated])),
    });
  }

  #cameOrWent(message: RoomMessage, came: string | undefined): void {
    let counts = false;
    for (const link of this.#links)
      if (link.tracks(message.roomId)) link.room(message);
      else counts = true;
    if (counts) this.#count(message.roomId, came);
  }

  #count(roomId: string, came: string | undefined): void {
    const before = this.#changed.get(roomId);
    if (before === undefined) this.#changed.set(roomId, came === undefined ? [] : [came]);
    else if (came !== undefined) before.push(came);
    if (this.#timer !== undefined) return;
    const pauseMs = this.#countedAtMs + COUNT_INTERVAL_MS - performance.now();
    this.#timer = setTimeout(() => this.#tellCounts(), Math.max(FIRST_COUNT_MS, pauseMs));
    this.#timer.unref();
  }

  #tellCounts(): void {
    this.#timer = undefined;
    this.#countedAtMs = performance.now();
    const counts = [...this.#changed].flatMap(([roomId, came]): RoomCount[] => {
      const room = this.#rooms.get(roomId);
      return room === undefined ? [] : [{ roomId, epoch: room.epoch, players: room.sessions.size, came }];
    });
    this.#changed.clear();
    for (const link of this.#links) {
      const others = counts.filter(({ roomId }) => !link.tracks(roomId));
      if (others.length > 0) link.counts(others);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
