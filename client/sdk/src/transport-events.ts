/** What a session's transport is given, and what it tells: Colyseus' event slots, the ways to a host, and news of moves. */
import type { ClientControl, HostSummary, ServerControl } from "@centroid/protocol";
import type { Dial, FrameBytes } from "./dial.js";
import type { Located } from "./recovery.js";

/** Colyseus' event slots for a connection. */
export interface TransportEvents {
  onopen?: ((event: unknown) => unknown) | null;
  onmessage?: ((event: { data: FrameBytes }) => unknown) | null;
  onclose?: ((event: Ending) => unknown) | null;
  onerror?: ((event: unknown) => unknown) | null;
}

/** How a connection ended, as Colyseus is told. */
export interface Ending {
  code: number;
  reason: string;
}

export interface Move {
  migrationId: string;
  to: HostSummary;
  /** Silence between the last frame from the old host and the first from the new one, ms. */
  gapMs: number;
  /** `gapMs` less one patch interval: what the move added. */
  freezeMs: number;
  lost: number;
  duplicated: number;
  /** Frames heard from a host that was lost, and that the restored room knows nothing of: it may say them again. */
  undone: number;
  /** The old host was lost; the room was built from its last checkpoint. */
  restored: boolean;
}

export interface SessionPaths {
  /** Where the room is now, as this session's URL there, for a connection that broke. */
  locate: (url: string) => Promise<Located>;
  /** The URL of this session that a host named, as one that can be dialled from here; the same if not given. */
  route?: (url: string) => string;
  /** A WebSocket of its own if not given. */
  dial?: Dial;
  /** Nothing comes by the gateway of now. @returns true if from now on another one is dialled */
  detour?: () => boolean;
  /** Given what to call when another gateway is dialled from now on, since it is nearer; it answers whether that can be. */
  onChosen?: (goOver: () => boolean) => void;
  /** What is given to `send` stays as it is; otherwise a copy is kept. */
  ownsFrames?: boolean;
}

export interface SessionIdentity extends SessionPaths {
  /** Epoch at which the session joined. */
  epoch: number;
  /** By which a host knows this session again; known once it has joined. */
  reconnectionToken: () => string | undefined;
}

export interface TransportListener {
  moving(to: HostSummary): void;
  cancelled(): void;
  /** @returns what to answer if the state here is another */
  compare(digest: Extract<ServerControl, { type: "digest" }>): ClientControl | undefined;
  ordered(order: Extract<ServerControl, { type: "map-order" }>): void;
  /** The broker's answer to what was measured. */
  measure(order: Extract<ServerControl, { type: "measure" }>): void;
  moved(move: Move): void;
  /**
   * Sent while there was no connection, of a session that does not go on by itself, told just before it closes; and what was
   * lost on the way before, told as soon as Colyseus has a connection again. Each is older than all that is yet to be sent.
   */
  undelivered(frames: readonly Uint8Array[]): void;
}
