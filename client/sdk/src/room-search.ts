/**
 * A session that has lost its room, or hears nothing of it any more: it is looked for wherever it may be by now, and the
 * session goes on at the host that takes it back.
 */
import {
  CLOSE_ABNORMAL,
  CLOSE_GOING_OVER,
  CLOSE_NORMAL,
  CLOSE_ROOM_MOVED,
  type HostSummary,
} from "@centroid/protocol";
import { after } from "./connection-state.js";
import { type Dial, OPEN, type SessionSocket } from "./dial.js";
import type { GapMeter } from "./gap-meter.js";
import { Recovery, type Resumed } from "./recovery.js";
import type { SessionConnection } from "./session-connection.js";
import type { SessionFrames } from "./session-frames.js";
import type { Ending, SessionIdentity } from "./transport-events.js";

/** What a standby said when it took the session over may come after the news that no other host will. */
const LAST_WORD_MS = 1_000;

export interface RoomSearchOptions {
  connection: SessionConnection;
  frames: SessionFrames;
  gap: GapMeter;
  identity: SessionIdentity;
  dial: Dial;
  /** Where the session was dialled. */
  url: () => string;
  epoch: () => number;
  /** Nothing has come for longer than the host has promised. */
  silent: () => boolean;
  /** The room's standby may still take the session over. */
  standbyWaits: () => boolean;
  /** A host has taken the session back. */
  onFound: (socket: SessionSocket, resumed: Resumed, to: { migrationId: string; host: HostSummary }) => void;
  /** The session does not go on by itself. */
  onEnded: (how: Ending) => void;
  /** There is no room to come back to. */
  onOver: (reason: string) => void;
}

export class RoomSearch {
  readonly #options: RoomSearchOptions;

  constructor(options: RoomSearchOptions) {
    this.#options = options;
  }

  /** The connection broke. The host may be lost with the room; then the session goes on where the room is built again. */
  begin(how: Ending): void {
    const { connection, gap, standbyWaits, onEnded } = this.#options;
    const recovery = this.#seek(() => {
      if (standbyWaits())
        connection.become({ state: "last-word", patience: after(LAST_WORD_MS, () => onEnded(how)) });
      else onEnded(how);
    });
    if (recovery === undefined) {
      onEnded(how);
      return;
    }
    connection.become({ state: "recovering", recovery });
    gap.stopped(performance.now());
  }

  /** Neither host of a move answers: both may be lost, and the room built again on a third. */
  orphaned(reason: string): void {
    this.begin({ code: CLOSE_ROOM_MOVED, reason });
  }

  /** By another gateway, at the host where it is; what it misses meanwhile the host has kept. @returns false if it cannot */
  goOver(): boolean {
    const { connection, frames } = this.#options;
    const { now } = connection;
    if (now.state !== "connected" || now.next !== undefined) return false;
    if (!frames.kept || now.socket.readyState !== OPEN) return false;
    this.begin({ code: CLOSE_ABNORMAL, reason: "by another gateway" });
    now.socket.close(CLOSE_GOING_OVER, "by another gateway");
    return true;
  }

  /** The host has been silent though it promised not to be: the room may have been restored elsewhere. */
  suspect(): void {
    const { connection, frames, identity, silent, epoch } = this.#options;
    const { now } = connection;
    if (now.state !== "connected" || now.next !== undefined) return;
    // It may be the gateway that is silent: what this session misses the host has kept, wherever it is asked for it.
    if (frames.kept && identity.detour?.() === true) {
      this.goOver();
      return;
    }
    if (now.suspicion !== undefined) return;
    const suspicion = this.#seek(() => {
      this.trust();
      if (silent()) this.suspect();
    }, epoch());
    if (suspicion !== undefined) connection.become({ ...now, suspicion });
  }

  /** The old connection is heard from: nobody need look for the room. */
  trust(): void {
    const { connection } = this.#options;
    const { now } = connection;
    if (now.state !== "connected" || now.suspicion === undefined) return;
    const { suspicion: _, ...trusted } = now;
    connection.become(trusted);
  }

  /**
   * Looks for a host that takes this session back and goes on there.
   * @param newerThan the epoch of an old connection that is only silent, and may still bring more
   * @returns undefined before it has joined
   */
  #seek(onGivenUp: () => void, newerThan?: number): Recovery | undefined {
    const { connection, frames, gap, identity, dial, url, epoch, onFound, onOver } = this.#options;
    const reconnectionToken = identity.reconnectionToken();
    if (reconnectionToken === undefined || frames.received === 0) return undefined;
    return new Recovery({
      locate: () => identity.locate(url()),
      reconnectionToken,
      dial,
      had: () => ({ epoch: epoch(), received: frames.received }),
      ...(newerThan === undefined ? { received: frames.received } : { newerThan }),
      onResumed: (socket, resumed, { host }) => {
        const old = connection.socket;
        gap.resumed(performance.now());
        onFound(socket, resumed, { migrationId: resumed.migrationId ?? "restored", host });
        old?.close(CLOSE_NORMAL, "moved");
      },
      onGivenUp,
      onEnded: onOver,
    });
  }
}
