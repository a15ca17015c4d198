/**
 * A Colyseus room that can move: the stock object, so `state`, `send`, `onMessage` and schema callbacks stay
 * the same across a move, plus where it runs and how far that is.
 *
 * This is the only file that touches the inside of @colyseus/sdk (0.18.4); its contract test names that version.
 */
import { type HostSummary, type ProbeRequest, TRAVEL_MESSAGE } from "@centroid/protocol";
import { ErrorCode, type MatchMakeError, Protocol, Room } from "@colyseus/sdk";
import { MigratingTransport } from "./migrating-transport.js";
import { type RttStats, RttWindow } from "./rtt-window.js";
import { type Signal, signal } from "./signal.js";
import { compareState, orderEntries } from "./state-comparison.js";
import type { Move, SessionPaths, TransportEvents } from "./transport-events.js";

/** One move of a room, as this player saw it. */
export interface MigrateEvent extends Move {
  from: HostSummary;
}

/** How far the room is, and where: what `<centroid-hud>` shows and {@link CentroidRoom.onStats} tells. */
export interface RoomStats extends RttStats {
  host: HostSummary;
  /** The host the room is moving to, while it moves. */
  movingTo: HostSummary | undefined;
  /** The gateway that the room is reached by; none if its host is reached directly. */
  gatewayId: string | undefined;
}

/** What the broker says to a report of measurements. */
export interface MeasureNext {
  next: string[];
  intervalMs: number;
}

/** Frames that mean nothing on another connection; requests are rejected when theirs closes. */
const OF_A_CONNECTION: ReadonlySet<number> = new Set([
  Protocol.JOIN_ROOM,
  Protocol.PING,
  Protocol.ROOM_REQUEST,
]);

interface ConnectionInternals {
  events: TransportEvents;
  transport: unknown;
}

/** A joined room: Colyseus' own, and where it runs, how far that is, and when it moves. */
// biome-ignore lint/suspicious/noExplicitAny: Colyseus' own default for a room without a server type
export class CentroidRoom<State = unknown, ServerRoom = any> extends Room<ServerRoom, State> {
  /** After the room came to another host; everything else on this object is as before. */
  readonly onMigrate: Signal<MigrateEvent> = signal();
  /** When a move begins; it may still be called off. */
  readonly onMoving: Signal<HostSummary> = signal();
  /** After each round of measurements. */
  readonly onStats: Signal<RoomStats> = signal();
  /**
   * The room has sent this player to another (`travelTo()`), which is joined by then; this one is left once the listener is
   * through. Without a listener the player stays.
   */
  readonly onTravel: Signal<CentroidRoom>;
  /** What to measure next; for the loop that measures. */
  readonly onMeasure: Signal<MeasureNext> = signal();
  #host: HostSummary;
  #movingTo: HostSummary | undefined;
  #window = new RttWindow();
  #gatewayId: string | undefined;

  constructor(
    name: string,
    rootSchema: never,
    at: { host: HostSummary; epoch: number },
    paths: SessionPaths,
    travel: (seat: unknown) => Promise<CentroidRoom>,
  ) {
    super(name, rootSchema);
    this.#host = at.host;
    // Not before: Colyseus warns of messages that nobody listens to, and so it does of this one.
    this.onTravel = signal(() => {
      this.onMessage(TRAVEL_MESSAGE as never, ((seat: unknown) => this.#goTo(travel(seat))) as never);
    });
    // Moves are exact; a plain broken connection may also happen in the first seconds.
    this.reconnection.minUptime = 0;
    // Colyseus would drop all but the last ten. How long it tries bounds what can gather.
    this.reconnection.maxEnqueuedMessages = Number.POSITIVE_INFINITY;
    const transport = (connection: ConnectionInternals): MigratingTransport =>
      new MigratingTransport(
        connection.events,
        {
          moving: (to) => {
            this.#movingTo = to;
            this.onMoving.emit(to);
            this.#publish();
          },
          cancelled: () => {
            this.#movingTo = undefined;
            this.#publish();
          },
          measure: ({ next, intervalMs }) => this.onMeasure.emit({ next, intervalMs }),
          compare: (digest) => compareState(this.serializer, digest),
          ordered: ({ refId, indexes }) => {
            orderEntries(this.serializer, refId, indexes);
            this.onStateChange.invoke(this.state);
          },
          moved: (move) => {
            const from = this.#host;
            this.#host = move.to;
            this.#movingTo = undefined;
            this.#window = new RttWindow();
            this.onMigrate.emit({ ...move, from });
          },
          undelivered: (frames) => {
            // Colyseus sends the rest when it has a new connection.
            const messages = frames.filter(([code = 0]) => !OF_A_CONNECTION.has(code));
            this.reconnection.enqueuedMessages.unshift(...messages.map((data) => ({ data })));
          },
        },
        {
          epoch: at.epoch,
          reconnectionToken: () => this.reconnectionToken?.split(":")[1],
          ...paths,
        },
      );
    // Room.connect() makes a Connection with a stock transport and uses it at once: swap it in between.
    let current: ConnectionInternals | undefined;
    Object.defineProperty(this, "connection", {
      configurable: true,
      get: () => current,
      set: (connection: ConnectionInternals) => {
        connection.transport = transport(connection);
        current = connection;
      },
    });
  }

  async #goTo(next: Promise<CentroidRoom>): Promise<void> {
    try {
      this.onTravel.emit(await next);
      await this.leave();
    } catch (cause) {
      const { code, message } = cause as MatchMakeError;
      this.onError.invoke(typeof code === "number" ? code : ErrorCode.APPLICATION_ERROR, message);
    }
  }

  /** Bytes instead of MessagePack. Colyseus 0.18.4 puts off a view of its own buffer, which the next message overwrites. */
  override sendBytes(type: string | number, bytes: Uint8Array): void {
    super.sendBytes(type, bytes);
    const last = this.reconnection.enqueuedMessages.at(-1);
    if (last !== undefined) last.data = last.data.slice();
  }

  /** Where the room runs now. */
  get host(): HostSummary {
    return this.#host;
  }

  /** Last round trip to the room's host, ms; NaN before the first measurement. (`ping()` is Colyseus' own.) */
  get pingMs(): number {
    return this.#window.stats()?.pingMs ?? Number.NaN;
  }

  /** Mean difference of successive round trips, ms. */
  get jitterMs(): number {
    return this.#window.stats()?.jitterMs ?? Number.NaN;
  }

  get stats(): RoomStats | undefined {
    const stats = this.#window.stats();
    return stats && { ...stats, host: this.#host, movingTo: this.#movingTo, gatewayId: this.#gatewayId };
  }

  /**
   * Tells the broker of measurements over the room's own connection; {@link onMeasure} has its answer.
   * @returns false if it has to be told otherwise
   */
  report(measured: Pick<ProbeRequest, "network" | "location" | "probes">): boolean {
    const { transport } = (this.connection as unknown as ConnectionInternals | undefined) ?? {};
    return transport instanceof MigratingTransport && transport.measured(measured);
  }

  /**
   * Takes in one round of probes to the room's host.
   * @param gatewayId by which they went, and the room's own bytes go
   */
  measured(rttsMs: readonly number[], lost: number, gatewayId?: string): void {
    this.#gatewayId = gatewayId;
    for (const rttMs of rttsMs) this.#window.add(rttMs);
    for (let i = 0; i < lost; i++) this.#window.add(undefined);
    this.#publish();
  }

  #publish(): void {
    const { stats } = this;
    if (stats !== undefined) this.onStats.emit(stats);
  }
}
