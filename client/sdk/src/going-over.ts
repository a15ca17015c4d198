/**
 * A session whose room goes to another host: a second connection is dialled beside the one of now, what it says is held, and
 * the session goes over to it once nothing of the old one is missing.
 */
import { CLOSE_NORMAL, type HostSummary, type ServerControl } from "@centroid/protocol";
import { after, type ConnectionState } from "./connection-state.js";
import type { Dial, FrameBytes, SessionSocket } from "./dial.js";
import type { GapMeter } from "./gap-meter.js";
import { NextHost } from "./next-host.js";
import type { Resumed } from "./recovery.js";
import type { SessionConnection } from "./session-connection.js";
import type { SessionFrames } from "./session-frames.js";

/** Without an old connection, a destination that stays silent so long is given up for a reconnection. */
const ORPHAN_TIMEOUT_MS = 10_000;
/** What the old connection lost is waited for so long; then it counts as lost. */
const REPLAY_TIMEOUT_MS = 2_000;

type Connected = Extract<ConnectionState, { state: "connected" }>;

export interface GoingOverOptions {
  connection: SessionConnection;
  frames: SessionFrames;
  gap: GapMeter;
  dial: Dial;
  route: (url: string) => string;
  /** The connection to the room's standby, if that is the destination. */
  takeStandby: (hostId: string) => SessionSocket | undefined;
  /** This socket is the session from now on. */
  onArrived: (
    socket: SessionSocket,
    resumed: Resumed,
    to: { migrationId: string; host: HostSummary },
  ) => void;
  /** What the destination said before the session was there. */
  onHeld: (socket: SessionSocket, data: FrameBytes) => void;
  /** Neither the old host nor the destination is there. */
  onOrphaned: (reason: string) => void;
}

export class GoingOver {
  readonly #options: GoingOverOptions;

  constructor(options: GoingOverOptions) {
    this.#options = options;
  }

  /** The room's host says that it moves. */
  begin(connection: Connected, moving: Extract<ServerControl, { type: "moving" }>): void {
    const { migrationId, host, url, promotes } = moving;
    // The destination was faster.
    if (connection.next?.migrationId === migrationId) {
      connection.next.url = url;
      return;
    }
    const standby = promotes === true ? this.#options.takeStandby(host.hostId) : undefined;
    this.#options.connection.become({
      ...connection,
      next: this.#nextHost({ migrationId, host, url }, standby),
    });
  }

  /**
   * The destination says that it has the room; what the old host has said before is still to come.
   * @returns false if this session goes nowhere
   */
  hasArrived(socket: SessionSocket, resumed: Resumed, host: HostSummary): boolean {
    const { connection } = this.#options;
    const { now } = connection;
    const { migrationId } = resumed;
    const follows = now.state !== "closed" && now.state !== "leaving" && now.state !== "locating";
    if (!follows || migrationId === undefined) return false;
    const next = this.#nextHost({ migrationId, host, url: undefined }, socket);
    if (now.state === "connected") {
      const { suspicion: _, ...trusted } = now;
      connection.become({ ...trusted, next });
    } else this.#await(next);
    next.resumed(resumed);
    return true;
  }

  /** The move was called off. @returns false if it is not the one under way */
  cancel(connected: Connected, migrationId: string): boolean {
    const { next, ...staying } = connected;
    if (next?.migrationId !== migrationId) return false;
    this.#options.connection.become(staying);
    return true;
  }

  /** The old connection broke in the middle of it. */
  oldBroke(next: NextHost): void {
    this.#await(next);
    if (next.arrived !== undefined) this.trySwitch();
    else next.askReplay(this.#options.frames.received);
  }

  /**
   * Goes over to the destination once nothing of the old connection is missing.
   * @param late what is missing does not come any more
   */
  trySwitch(late = false): void {
    const { connection, frames, onArrived, onHeld } = this.#options;
    const { now } = connection;
    if (now.state !== "connected" && now.state !== "arriving") return;
    const { next } = now;
    const arrived = next?.arrived;
    if (next === undefined || arrived === undefined) return;
    const { socket, resumed, held } = arrived;
    if (resumed.sent > frames.received) {
      if (now.state === "connected") return;
      // Its old connection broke before the last frame: the destination gets the rest from there.
      if (!late && (next.askReplay(frames.received) || next.asking)) {
        const patience = after(REPLAY_TIMEOUT_MS, () => this.trySwitch(true));
        connection.become({ state: "arriving", next, patience });
        return;
      }
    }
    const old = now.state === "connected" ? now.socket : undefined;
    next.release();
    onArrived(socket, resumed, next);
    old?.close(CLOSE_NORMAL, "moved");
    for (const data of held) onHeld(socket, data);
  }

  /** Only the destination is left. */
  #await(next: NextHost): void {
    const { connection, onOrphaned } = this.#options;
    const patience = after(ORPHAN_TIMEOUT_MS, () => onOrphaned("the destination stays silent"));
    connection.become({ state: "arriving", next, patience });
  }

  #nextHost(to: ConstructorParameters<typeof NextHost>[0], connected?: SessionSocket): NextHost {
    const { connection, frames, gap, dial, route } = this.#options;
    const next: NextHost = new NextHost(
      to,
      {
        onOpen: () => {
          if (connection.now.state === "arriving") next.askReplay(frames.received);
        },
        onResumed: () => {
          gap.resumed(performance.now());
          this.trySwitch();
        },
        onAck: (received) => frames.confirm(received),
        onGivenUp: () => this.#givenUp(next),
      },
      dial,
      route,
      connected,
    );
    return next;
  }

  /** The destination was dialled often enough. */
  #givenUp(next: NextHost): void {
    const { connection, onOrphaned } = this.#options;
    const { now } = connection;
    if (now.state === "arriving") onOrphaned("the destination cannot be reached");
    else if (now.state === "connected" && now.next === next) {
      const { next: _, ...staying } = now;
      connection.become(staying);
    }
  }
}
