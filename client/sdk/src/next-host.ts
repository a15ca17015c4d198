/**
 * A second connection, to the destination of a move: dialled again until it holds, and what it says is kept until
 * the session goes over to it.
 */
import { CLOSE_NORMAL, encodeControl, type HostSummary, isControl } from "@centroid/protocol";
import { readControl, withControl } from "./control.js";
import {
  bytesOf,
  type Dial,
  dial,
  dialWebSocket,
  type FrameBytes,
  OPEN,
  type SessionSocket,
} from "./dial.js";
import type { Resumed } from "./recovery.js";

/** Tries to reach a destination, and the pause between them. The server holds the seat for 10 s. */
const ATTEMPTS = 12;
const RETRY_MS = 250;

export interface NextHostEvents {
  onOpen: () => void;
  /** The destination has the session; {@link NextHost.arrived} says where it goes on. */
  onResumed: () => void;
  /** It has processed so many of the session's frames. */
  onAck: (received: number) => void;
  /** It was dialled often enough. */
  onGivenUp: () => void;
}

/** What the session goes on with. */
export interface Arrived {
  socket: SessionSocket;
  resumed: Resumed;
  /** Frames that came since, in order. */
  held: readonly FrameBytes[];
}

export class NextHost {
  readonly migrationId: string;
  readonly host: HostSummary;
  /** Where it is dialled; not known while only the destination has spoken of the move. */
  url: string | undefined;
  readonly #events: NextHostEvents;
  readonly #by: Dial;
  readonly #route: (url: string) => string;
  #attempts = 0;
  #socket: SessionSocket | undefined;
  #held: FrameBytes[] = [];
  #resumed: Resumed | undefined;
  /** Frames that the old connection lost, in order, and how many of them are still to come. */
  #replayed: FrameBytes[] = [];
  #replaying = 0;
  #asked = false;
  #asking = false;
  #ended = false;

  /**
   * Dials at once, unless it is connected already.
   * @param route makes the host's URL one that can be dialled from here; asked each time, since a gateway may be lost
   */
  constructor(
    moving: { migrationId: string; host: HostSummary; url: string | undefined },
    events: NextHostEvents,
    by: Dial = dialWebSocket,
    route: (url: string) => string = (url) => url,
    connected?: SessionSocket,
  ) {
    this.migrationId = moving.migrationId;
    this.host = moving.host;
    this.url = moving.url;
    this.#events = events;
    this.#by = by;
    this.#route = route;
    if (connected === undefined) this.#dial();
    else this.#listen(connected);
  }

  /** Set once the destination runs the room, and not while it brings what the old connection lost. */
  get arrived(): Arrived | undefined {
    if (this.#socket === undefined || this.#resumed === undefined || this.#replaying > 0) return undefined;
    const sent = this.#resumed.sent - this.#replayed.length;
    return {
      socket: this.#socket,
      resumed: { ...this.#resumed, sent },
      held: [...this.#replayed, ...this.#held],
    };
  }

  /** The destination was asked for what the old connection lost, and has not answered yet. */
  get asking(): boolean {
    return this.#asking;
  }

  /**
   * The old host is gone before its last frame came: the destination has it from there, or asks for it.
   * @returns false if it was asked before
   */
  askReplay(received: number): boolean {
    if (this.#asked) return false;
    if (this.#socket?.readyState !== OPEN) return true;
    this.#asked = true;
    this.#asking = true;
    this.#socket.send(encodeControl({ type: "replay", received }));
    return true;
  }

  /** Leaves the socket to whoever took it. */
  release(): void {
    this.#ended = true;
    this.#socket = undefined;
  }

  cancel(): void {
    this.#ended = true;
    this.#socket?.close(CLOSE_NORMAL, "not needed");
  }

  /** It has the session. */
  resumed(message: Resumed): void {
    this.#resumed = message;
    this.#events.onResumed();
  }

  #dial(): void {
    this.#attempts++;
    const { url } = this;
    const socket = url === undefined ? undefined : dial(() => withControl(this.#route(url)), this.#by);
    if (socket === undefined) this.#broke();
    else this.#listen(socket);
  }

  #listen(socket: SessionSocket): void {
    this.#socket = socket;
    socket.onopen = () => {
      if (!this.#ended) this.#events.onOpen();
    };
    socket.onmessage = ({ data }: { data: FrameBytes }) => {
      if (!this.#ended) this.#hear(socket, data);
    };
    socket.onclose = () => {
      if (!this.#ended && this.#socket === socket) this.#broke();
    };
    socket.onerror = () => undefined;
  }

  #hear(socket: SessionSocket, data: FrameBytes): void {
    const bytes = bytesOf(data);
    if (!isControl(bytes)) {
      if (this.#replaying === 0) this.#held.push(data);
      else {
        this.#replayed.push(data);
        if (--this.#replaying === 0) this.#events.onResumed();
      }
      return;
    }
    const message = readControl(socket, bytes);
    if (message?.type === "resumed") this.resumed(message);
    else if (message?.type === "replaying") {
      this.#asking = false;
      this.#replaying = message.count;
      if (message.count === 0) this.#events.onResumed();
    } else if (message?.type === "ack") this.#events.onAck(message.received);
    else if (message !== undefined) this.#held.push(data);
  }

  #broke(): void {
    this.#socket = undefined;
    this.#held = [];
    this.#resumed = undefined;
    this.#replayed = [];
    this.#replaying = 0;
    this.#asked = false;
    this.#asking = false;
    if (this.#attempts >= ATTEMPTS) {
      this.#ended = true;
      this.#events.onGivenUp();
      return;
    }
    setTimeout(() => {
      if (!this.#ended) this.#dial();
    }, RETRY_MS);
  }
}
