/**
 * A connection broke and nobody had said that the room would move. If its host was lost, the room is soon built
 * from its last checkpoint on another: asks the broker where it is until a host takes this session back, or
 * until it is clear that only the connection broke.
 */
import {
  CentroidError,
  CLOSE_REFUSED,
  HAD_QUERY,
  type HostSummary,
  RECEIVED_QUERY,
  RESTORE_QUERY,
  type ServerControl,
  type SessionProgress,
} from "@centroid/protocol";
import { readControl, withControl } from "./control.js";
import { bytesOf, type Dial, dial, type SessionSocket } from "./dial.js";

/** So long after a broker last said that the room is being restored, or after brokers themselves could not be reached. */
const GIVE_UP_AFTER_MS = 30_000;
/** Whatever they say. */
const AT_MOST_MS = 120_000;
const RETRY_MS = 150;
/** A host that was lost to the network does not even refuse. One that is only slow gets twice as long each time. */
const DIAL_TIMEOUT_MS = 2_000;
const MAX_DIAL_TIMEOUT_MS = 8_000;

export interface Located {
  /** The session's URL at that host. */
  url: string;
  epoch: number;
  host: HostSummary;
  /** That host is lost and another does not run the room yet. */
  restoring: boolean;
}

export type Resumed = Extract<ServerControl, { type: "resumed" }>;

export interface RecoveryOptions {
  locate: () => Promise<Located>;
  reconnectionToken: string;
  /** Data frames that the session has had, if the old connection brings no more: it may go on at the host where it was. */
  received?: number;
  /** In which epoch it was connected last, and what it has had by now. */
  had: () => SessionProgress;
  dial?: Dial;
  /**
   * Set while the old connection is open but silent: only a newer epoch is worth leaving it for, and one that refuses is
   * no newer, since a machine that moved has the session on the old connection.
   */
  newerThan?: number;
  onResumed: (socket: SessionSocket, resumed: Resumed, at: Located) => void;
  /** The room is where it was, or nowhere: the connection is what broke. */
  onGivenUp: () => void;
  /** The room has been ended and will not be anywhere again. */
  onEnded: (reason: string) => void;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  #socket: SessionSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  #newerThan: number | undefined;
  #dialTimeoutMs = DIAL_TIMEOUT_MS;
  /** A broker that takes longer to answer has too much to do: it is asked less often. */
  #answerMs = 0;
  readonly #startedAtMs = performance.now();
  #hopeUntilMs = this.#startedAtMs + GIVE_UP_AFTER_MS;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#newerThan = options.newerThan;
    this.#ask();
  }

  cancel(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #ask(): void {
    const askedAtMs = performance.now();
    const located = this.#options.locate().finally(() => {
      this.#answerMs = performance.now() - askedAtMs;
    });
    located.then(
      (at) => {
        if (this.#ended) return;
        if (at.restoring) this.#hope();
        if (at.epoch > (this.#newerThan ?? -1)) this.#dial(at);
        else this.#again();
      },
      (cause: unknown) => {
        if (this.#ended) return;
        if (!isOver(cause)) {
          if (isAway(cause)) this.#hope();
          return this.#again();
        }
        this.#ended = true;
        this.#options.onEnded(cause.message);
      },
    );
  }

  #dial(at: Located): void {
    const { reconnectionToken, received, had } = this.#options;
    const url = (): string => {
      const back = new URL(restoring(at.url, reconnectionToken));
      if (received !== undefined) back.searchParams.set(RECEIVED_QUERY, String(received));
      const last = had();
      back.searchParams.set(HAD_QUERY, `${last.epoch}.${last.received}`);
      return back.toString();
    };
    const socket = dial(url, this.#options.dial);
    if (socket === undefined) {
      this.#again();
      return;
    }
    this.#socket = socket;
    this.#timer = setTimeout(() => {
      this.#dialTimeoutMs = Math.min(2 * this.#dialTimeoutMs, MAX_DIAL_TIMEOUT_MS);
      socket.close();
    }, this.#dialTimeoutMs);
    socket.onerror = () => undefined;
    socket.onmessage = ({ data }) => {
      const message = readControl(socket, bytesOf(data));
      if (message?.type !== "resumed") return;
      clearTimeout(this.#timer);
      this.#ended = true;
      // The socket is the session's from now on.
      this.#socket = undefined;
      this.#options.onResumed(socket, message, at);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(this.#timer);
      if (this.#ended) return;
      // It has the room and does not wait for this session; any other close is worth another look.
      if (code === CLOSE_REFUSED) {
        if (this.#newerThan === undefined) return this.#giveUp();
        this.#newerThan = at.epoch;
      }
      this.#again();
    };
  }

  /** Whoever can restore the room has not done so yet. What this session keeps until then would be lost if it gave up. */
  #hope(): void {
    this.#hopeUntilMs = performance.now() + GIVE_UP_AFTER_MS;
  }

  #again(): void {
    if (this.#ended) return;
    const nowMs = performance.now();
    if (nowMs > this.#hopeUntilMs || nowMs > this.#startedAtMs + AT_MOST_MS) this.#giveUp();
    else this.#timer = setTimeout(() => this.#ask(), Math.max(RETRY_MS, this.#answerMs));
  }

  #giveUp(): void {
    this.#ended = true;
    this.#options.onGivenUp();
  }
}

/** True if the broker says that the room has ended for good. */
export const isOver = (cause: unknown): cause is CentroidError =>
  cause instanceof CentroidError && (cause.code === "ROOM_CRASHED" || cause.code === "ROOM_LOST");

/** True if no broker could answer. */
const isAway = (cause: unknown): boolean => cause instanceof CentroidError && cause.code === "NO_HOST";

/** The URL by which a session comes back to a room that lost its host, or whose gateway is lost. */
export function restoring(url: string, reconnectionToken: string): string {
  const parsed = new URL(withControl(url));
  parsed.searchParams.set(RESTORE_QUERY, reconnectionToken);
  return parsed.toString();
}
