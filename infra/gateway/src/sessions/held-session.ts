/**
 * A session of a stock Colyseus client. The gateway plays the part of Centroid's SDK for it: follows the room when it
 * moves, holds what the player sends while the room's host is lost, and goes on where the room is built again. The player
 * sees one WebSocket, and Colyseus' frames as the room sent them.
 */
import {
  CentroidError,
  CLOSE_ROOM_MOVED,
  CLOSE_TOO_FAST,
  COMPARE_QUERY,
  type GatewayDirectory,
  type RoomRoute,
} from "@centroid/protocol";
import { bytesOf, type FrameBytes, MigratingTransport } from "@centroid/sdk/session";
import type { PlayerEvents, PlayerSocket } from "./player-socket.js";
import { tokenOfHandshake } from "./reconnection-token.js";
import type { Asker, SessionDialer, UpstreamSocket } from "./session-dialer.js";

/** Held of a player whose room is on its way; far more than anybody sends in the seconds that takes. */
const MAX_HELD_BYTES = 1024 * 1024;

export interface HeldSessionOptions {
  /** Makes the player's socket, whose events are this session's. */
  open: (events: PlayerEvents) => PlayerSocket;
  /** The session's URL, as it asked for its room. */
  url: string;
  roomId: string;
  sessionId: string;
  route: RoomRoute;
  asker: Asker;
  dialer: SessionDialer;
  directory: GatewayDirectory;
  /** How far the player is. */
  onMeasured: (rttMs: number) => void;
}

export class HeldSession implements PlayerEvents {
  readonly #options: Pick<
    HeldSessionOptions,
    "roomId" | "sessionId" | "asker" | "dialer" | "directory" | "onMeasured"
  >;
  readonly #player: PlayerSocket;
  readonly #transport: MigratingTransport;
  /** To the room's host, to its standby, and for moments to where it goes. */
  #upstreams: UpstreamSocket[] = [];
  #slow = false;
  #token: string | undefined;
  #heldBytes = 0;
  #first: RoomRoute | undefined;
  /** Said before there is a way to the room. */
  #early: Buffer[] | undefined = [];

  constructor({ open, url, route, ...options }: HeldSessionOptions) {
    this.#options = options;
    this.#first = route;
    const { epoch } = route;
    this.#player = open(this);
    this.#transport = new MigratingTransport(
      {
        onopen: () => this.#opened(),
        onmessage: ({ data }) => this.#deliver(data),
        onclose: ({ code, reason }) => this.#player.close(code, reason),
      },
      NOBODY,
      {
        epoch,
        ownsFrames: true,
        reconnectionToken: () => this.#token,
        locate: (at) => this.#locate(at),
        dial: (at) => this.#dial(at),
      },
    );
    this.#transport.connect(url);
  }

  slow(slow: boolean): void {
    this.#slow = slow;
    for (const upstream of this.#upstreams) upstream.slow = slow;
  }

  measured(rttMs: number): void {
    this.#options.onMeasured(rttMs);
  }

  closed(code: number): void {
    for (const upstream of this.#upstreams) upstream.closesAs = code;
    this.#transport.close(code);
  }

  /** To be called now and then: ends a session whose player is gone. */
  check(): void {
    this.#player.check();
  }

  /** Asks how far the player is; `check` asks too. */
  measure(): void {
    this.#player.measure();
  }

  /** The gateway ends: the player is to come again. */
  end(): void {
    this.#player.close(CLOSE_ROOM_MOVED, "gateway stops");
  }

  #opened(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const frame of early) this.#transport.send(frame);
  }

  frame(data: Buffer): void {
    if (this.#transport.connected) this.#heldBytes = 0;
    else {
      this.#heldBytes += data.byteLength;
      if (this.#heldBytes > MAX_HELD_BYTES) {
        this.#player.close(CLOSE_TOO_FAST, "too much said while the room is away; join again");
        return;
      }
    }
    if (this.#early === undefined) this.#transport.send(data);
    else this.#early.push(data);
  }

  #deliver(data: FrameBytes): void {
    this.#token ??= tokenOfHandshake(bytesOf(data));
    this.#player.send(data);
  }

  #dial(url: string): UpstreamSocket {
    const { asker, dialer } = this.#options;
    // The state is with the client behind this, which cannot compare it: digests would be for nobody.
    const at = new URL(url);
    at.searchParams.delete(COMPARE_QUERY);
    const upstream = dialer.dial(at.toString(), asker, this.#first);
    this.#first = undefined;
    if (this.#slow) upstream.slow = true;
    this.#upstreams = [...this.#upstreams.filter(({ readyState }) => readyState !== CLOSED), upstream];
    return upstream;
  }

  /** @throws CentroidError ROOM_CRASHED or ROOM_LOST if it has ended, ROOM_MOVING if it is nowhere, NO_HOST if no broker answers */
  async #locate(url: string) {
    const { directory, roomId, sessionId } = this.#options;
    const { search } = new URL(url);
    const found = await directory.room("", roomId, sessionId);
    switch (found.type) {
      case "target":
        return {
          url: `ws://${found.address}/${found.processId}/${roomId}${search}`,
          epoch: found.epoch,
          host: found.host,
          restoring: found.restoring,
        };
      case "ended":
        throw CentroidError.fromWire(found.error);
      case "away":
      case "unknown":
        throw new CentroidError("ROOM_MOVING", `room ${roomId} is not running just now`);
      default: {
        const never: never = found;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }
}

const CLOSED = 3;
const ignore = (): void => undefined;
/** Nobody behind a stock client asks how its session fares. */
const NOBODY: ConstructorParameters<typeof MigratingTransport>[1] = {
  moving: ignore,
  cancelled: ignore,
  moved: ignore,
  undelivered: ignore,
  compare: () => undefined,
  ordered: ignore,
  measure: ignore,
};
