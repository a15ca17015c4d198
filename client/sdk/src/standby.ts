/**
 * A second connection, to the warm standby of the room: it says nothing until the room's host is lost and the
 * standby runs the room instead. Then the session goes on here without asking anybody. If the room moves there, it
 * becomes the connection to the destination.
 */
import { CLOSE_NORMAL, CLOSE_REFUSED, type HostSummary, PROMOTE_QUERY } from "@centroid/protocol";
import { readControl } from "./control.js";
import { bytesOf, type Dial, dial, OPEN, type SessionSocket } from "./dial.js";
import { type Resumed, restoring } from "./recovery.js";

/** A standby that cannot be reached is tried again so often; the room's host names another if there is one. */
const ATTEMPTS = 5;
const RETRY_MS = 1_000;

export interface StandbyOptions {
  /** The session's URL there, as it can be dialled from here now. */
  url: () => string;
  host: HostSummary;
  reconnectionToken: () => string | undefined;
  dial?: Dial;
  onResumed: (socket: SessionSocket, resumed: Resumed, host: HostSummary) => void;
  /** The room has moved there, and this socket is the caller's; the old host, which is alive, has yet to say so. */
  onMovedHere: (socket: SessionSocket, resumed: Resumed, host: HostSummary) => void;
}

export class Standby {
  readonly #options: StandbyOptions;
  #socket: SessionSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #ended = false;

  constructor(options: StandbyOptions) {
    this.#options = options;
    this.#dial();
  }

  /** True while it may still take over. */
  get waiting(): boolean {
    return !this.#ended && this.#socket?.readyState === OPEN;
  }

  /** The room is to move to that host. @returns the connection, if it is there: it is the caller's from now on */
  take(hostId: string): SessionSocket | undefined {
    if (!this.waiting || this.#options.host.hostId !== hostId) return undefined;
    this.#ended = true;
    const socket = this.#socket;
    this.#socket = undefined;
    return socket;
  }

  cancel(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close(CLOSE_NORMAL, "not needed");
  }

  #dial(): void {
    const token = this.#options.reconnectionToken();
    if (token === undefined || this.#attempts++ >= ATTEMPTS) return;
    const { url, dial: by } = this.#options;
    const socket = dial(() => `${restoring(url(), token)}&${PROMOTE_QUERY}=1`, by);
    if (socket === undefined) return;
    this.#socket = socket;
    socket.onerror = () => undefined;
    socket.onmessage = ({ data }) => {
      const message = readControl(socket, bytesOf(data));
      if (this.#ended || message?.type !== "resumed") return;
      this.#ended = true;
      // The socket is the session's from now on, unless it has a better one.
      this.#socket = undefined;
      const { host, onResumed, onMovedHere } = this.#options;
      (message.restored === true ? onResumed : onMovedHere)(socket, message, host);
    };
    socket.onclose = ({ code }) => {
      if (this.#ended) return;
      if (code !== CLOSE_REFUSED) this.#timer = setTimeout(() => this.#dial(), RETRY_MS);
    };
  }
}
