/**
 * Turns a session's URL, as room hosts and this gateway write it, into a socket: looks the room host up, then opens a
 * stream of its trunk, or a connection of its own to a host that takes no trunks.
 */
import {
  CLOSE_ABNORMAL,
  CLOSE_NO_STATUS,
  CLOSE_NORMAL,
  CLOSE_ROOM_MOVED,
  type GatewayDirectory,
  type RoomRoute,
} from "@centroid/protocol";
import type { SessionSocket } from "@centroid/sdk/session";
import { WebSocket } from "ws";
import type { TrunkPool } from "../trunk/trunk-pool.js";

/** The whole state of a large room is one frame. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 3_000;

/** Whose session it is, for the room's `onAuth` and `onJoin`. */
export interface Asker {
  address: string;
  headers: Record<string, string>;
  /** Its own client follows the room. */
  passed: boolean;
}

/** A session's socket towards its room; it may stop the room host's writing to it. */
export interface UpstreamSocket extends SessionSocket {
  /** While true nothing more is taken in than what is under way. */
  slow: boolean;
  /** What the room host is to see instead of the code that it is closed with. */
  closesAs?: number | undefined;
}

export interface SessionDialerOptions {
  directory: GatewayDirectory;
  trunks: TrunkPool;
}

/** What of a session's URL says where it goes. */
interface Wanted {
  processId: string;
  roomId: string;
  sessionId: string;
  query: string;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

export class SessionDialer {
  readonly #options: SessionDialerOptions;

  constructor(options: SessionDialerOptions) {
    this.#options = options;
  }

  /**
   * @param url `ws://.../PROCESS/ROOM?sessionId=...`; only these three are read of it
   * @param known where that is, if it was looked up already
   */
  dial(url: string, asker: Asker, known?: RoomRoute): UpstreamSocket {
    const wanted = wantedBy(url);
    const socket = new LateSocket();
    const { directory } = this.#options;
    const found =
      known === undefined
        ? directory.room(wanted.processId, wanted.roomId, wanted.sessionId)
        : Promise.resolve(known);
    found.then(
      (route) => {
        if (route.type === "target") socket.become(() => this.#open(route, wanted, asker));
        else socket.fail();
      },
      () => socket.fail(),
    );
    return socket;
  }

  #open(route: RoomRoute, { roomId, sessionId, query }: Wanted, asker: Asker): UpstreamSocket {
    const { address, headers } = asker;
    if (route.trunk !== undefined) {
      const { key, pass } = route.trunk;
      return this.#options.trunks.open(route, key, { roomId, sessionId, query, ...asker, pass });
    }
    const socket = new WebSocket(`ws://${route.address}/${route.processId}/${roomId}?${query}`, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headers: { ...headers, "x-forwarded-for": address },
    });
    socket.binaryType = "arraybuffer";
    // A connection that is not there yet cannot be paused: it is as soon as it opens, before its first frame.
    let isSlow = false;
    socket.once("open", () => isSlow && socket.pause());
    return Object.defineProperties(socket, {
      slow: {
        set: (slow: boolean) => {
          isSlow = slow;
          if (slow) socket.pause();
          else socket.resume();
        },
      },
      // Codes that may not be sent (RFC 6455, 7.4.1) are those of connections that broke: so does this one.
      close: {
        value: (code: number, reason: string) =>
          code === CLOSE_NO_STATUS || code === CLOSE_ABNORMAL
            ? socket.terminate()
            : WebSocket.prototype.close.call(socket, code, reason),
      },
    }) as unknown as UpstreamSocket;
  }
}

/** @throws TypeError if it is no URL of a session */
function wantedBy(url: string): Wanted {
  const { pathname, search, searchParams } = new URL(url);
  const [roomId, processId] = pathname.split("/").reverse().map(decodeURIComponent);
  const sessionId = searchParams.get("sessionId");
  if (processId === undefined || roomId === undefined || sessionId === null)
    throw new TypeError(`${url} is no session's`);
  return { processId, roomId, sessionId, query: search.slice(1) };
}

/** A socket that is not there yet; until then it is one that connects. */
class LateSocket implements UpstreamSocket {
  onopen: SessionSocket["onopen"] = null;
  onmessage: SessionSocket["onmessage"] = null;
  onclose: SessionSocket["onclose"] = null;
  onerror: SessionSocket["onerror"] = null;
  #inner: UpstreamSocket | undefined;
  #closed: { code: number; reason: string } | undefined;
  #slow = false;
  closesAs: number | undefined;

  get readyState(): number {
    if (this.#closed !== undefined) return CLOSED;
    return this.#inner?.readyState ?? CONNECTING;
  }

  get slow(): boolean {
    return this.#slow;
  }

  set slow(slow: boolean) {
    if (this.#slow === slow) return;
    this.#slow = slow;
    if (this.#inner !== undefined) this.#inner.slow = slow;
  }

  become(open: () => UpstreamSocket): void {
    if (this.#closed !== undefined) return;
    let inner: UpstreamSocket;
    try {
      inner = open();
    } catch {
      this.fail();
      return;
    }
    this.#inner = inner;
    let opened = inner.readyState === OPEN;
    inner.onopen = (event) => {
      opened = true;
      this.onopen?.(event);
    };
    // Texts go on as their bytes; Colyseus has none, but a room's code may write to its socket.
    inner.onmessage = ({ data }) =>
      this.onmessage?.({ data: typeof data === "string" ? Buffer.from(data) : data });
    inner.onerror = (event) => this.onerror?.(event);
    inner.onclose = (event) => {
      // Nobody is there, for now: worth another look, as if the room were elsewhere.
      if (opened) this.onclose?.(event);
      else this.fail();
    };
    if (this.#slow) inner.slow = true;
    // A stream is open as soon as its trunk is.
    if (opened) this.onopen?.({});
  }

  /** There is nothing to connect to just now. */
  fail(): void {
    this.#end(CLOSE_ROOM_MOVED, "room is not here");
  }

  send(frame: Uint8Array): void {
    this.#inner?.send(frame);
  }

  close(code = CLOSE_NORMAL, reason = ""): void {
    const as = this.closesAs ?? code;
    if (this.#inner !== undefined) this.#inner.close(as, reason);
    else this.#end(as, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = { code, reason };
    this.onclose?.(this.#closed);
  }
}
