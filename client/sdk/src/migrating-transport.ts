/**
 * A Colyseus transport whose socket can be replaced while the room plays.
 *
 * While nothing moves it is one WebSocket. How the session follows its room to another host is in going-over.ts, how it
 * finds a room that it has lost in room-search.ts. Where the connection stands is one tagged union (connection-state.ts), how
 * many frames went each way is counted in session-frames.ts.
 */
import {
  CLOSE_ABNORMAL,
  CLOSE_DROPPED,
  CLOSE_NO_STATUS,
  CLOSE_NORMAL,
  CLOSE_ROOM_ENDED,
  CLOSE_ROOM_MOVED,
  type ClientControl,
  encodeControl,
  type HostSummary,
  isControl,
  MAX_CONTROL_FRAME_BYTES,
} from "@centroid/protocol";
import { after, type ConnectionState } from "./connection-state.js";
import { readControl, withControl } from "./control.js";
import { bytesOf, type Dial, dialWebSocket, type FrameBytes, OPEN, type SessionSocket } from "./dial.js";
import { GapMeter } from "./gap-meter.js";
import { GoingOver } from "./going-over.js";
import { isOver, type Resumed } from "./recovery.js";
import { RoomSearch } from "./room-search.js";
import { SessionConnection } from "./session-connection.js";
import { SessionFrames } from "./session-frames.js";
import { Standby } from "./standby.js";
import type { Ending, SessionIdentity, TransportEvents, TransportListener } from "./transport-events.js";
import { Watchdog } from "./watchdog.js";

/** A newcomer whose room is on the move looks for it so often, a move's longest pause apart in all. */
const MAX_RELOCATIONS = 20;
const RELOCATE_MS = 250;
/** Closes that nobody meant: going away, no status, abnormal, and Colyseus' "dial again". */
const UNMEANT = new Set([1001, CLOSE_NO_STATUS, CLOSE_ABNORMAL, CLOSE_ROOM_MOVED]);

type Connected = Extract<ConnectionState, { state: "connected" }>;

export class MigratingTransport {
  readonly #events: TransportEvents;
  readonly #listener: TransportListener;
  readonly #identity: SessionIdentity;
  readonly #dial: Dial;
  readonly #frames = new SessionFrames();
  readonly #gap = new GapMeter();
  readonly #watchdog = new Watchdog(
    () => this.#search.suspect(),
    () => this.#search.trust(),
  );
  readonly #connection = new SessionConnection(() => this.#watchdog.stop());
  readonly #goingOver: GoingOver;
  readonly #search: RoomSearch;
  #standby: Standby | undefined;
  /** Colyseus dials again: until the host has answered nobody there listens. */
  #rejoining = false;
  #dialled = false;
  #url = "";
  #relocations = 0;
  #epoch: number;

  constructor(events: TransportEvents, listener: TransportListener, identity: SessionIdentity) {
    this.#events = events;
    this.#listener = listener;
    this.#identity = identity;
    this.#dial = identity.dial ?? dialWebSocket;
    this.#epoch = identity.epoch;
    // Named twice: V8 gives an object that begins with a spread a shape of its own, half a kilobyte in each session of a gateway.
    this.#goingOver = new GoingOver({
      connection: this.#connection,
      frames: this.#frames,
      gap: this.#gap,
      dial: this.#dial,
      route: (url) => this.#route(url),
      takeStandby: (hostId) => this.#standby?.take(hostId),
      onArrived: (...arrived) => this.#goOn(...arrived),
      onHeld: (socket, data) => this.#take(socket, data),
      onOrphaned: (reason) => this.#search.orphaned(reason),
    });
    this.#search = new RoomSearch({
      connection: this.#connection,
      frames: this.#frames,
      gap: this.#gap,
      dial: this.#dial,
      identity,
      url: () => this.#url,
      epoch: () => this.#epoch,
      silent: () => this.#watchdog.silent,
      standbyWaits: () => this.#standby?.waiting === true,
      onFound: (...found) => this.#goOn(...found),
      onEnded: (how) => this.#end(how),
      onOver: (reason) => this.#over(reason),
    });
    identity.onChosen?.(() => this.#search.goOver());
  }

  get isOpen(): boolean {
    const connection = this.#connection.now;
    switch (connection.state) {
      case "closed":
      case "locating":
        return false;
      // While the session is on its way to another host the room is "open": what is sent waits in the outbox.
      case "arriving":
      case "recovering":
      case "last-word":
        return true;
      case "leaving":
        return connection.socket.readyState === OPEN;
      case "connected":
        // One that breaks just now will have a successor; nobody has been told yet that it broke.
        return connection.socket.readyState === OPEN ? !this.#rejoining : this.#frames.received > 0;
      default: {
        const never: never = connection;
        throw new Error(`unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** False while what is sent waits for a host. */
  get connected(): boolean {
    return this.#connection.socket?.readyState === OPEN;
  }

  connect(url: string): void {
    this.#url = url;
    this.#relocations = 0;
    this.#dropStandby();
    this.#frames.reset();
    if (!this.#dialled) {
      this.#dialled = true;
      this.#open(withControl(url));
      return;
    }
    this.#rejoining = true;
    this.#locate();
  }

  send(data: Uint8Array): void {
    const frame = this.#identity.ownsFrames === true ? data : data.slice();
    const socket = this.#connection.socket;
    const carried = socket?.readyState === OPEN;
    this.#frames.sent(frame, carried);
    if (carried) socket.send(frame);
  }

  /** @returns false if nobody at the other end takes it just now; the broker can be told otherwise */
  measured(report: Omit<Extract<ClientControl, { type: "measured" }>, "type">): boolean {
    const connection = this.#connection.now;
    if (connection.state !== "connected" || connection.measures !== true) return false;
    if (connection.socket.readyState !== OPEN) return false;
    const frame = encodeControl({ type: "measured", ...report });
    if (frame.byteLength > MAX_CONTROL_FRAME_BYTES) return false;
    connection.socket.send(frame);
    return true;
  }

  /** WebSocket has no unreliable channel. */
  sendUnreliable(data: Uint8Array): void {
    this.send(data);
  }

  close(code?: number, reason?: string): void {
    const connection = this.#connection.now;
    switch (connection.state) {
      case "closed":
        return;
      case "locating":
      case "arriving":
      case "recovering":
      case "last-word":
        this.#end({ code: code ?? CLOSE_NO_STATUS, reason: reason ?? "" });
        return;
      case "connected":
      case "leaving": {
        const { socket } = connection;
        this.#connection.become({ state: "leaving", socket });
        this.#dropStandby();
        // Without a code, as Colyseus does it: the room takes that for a broken connection.
        if (code === undefined) socket.close();
        else socket.close(code === 1001 || code < CLOSE_NORMAL ? CLOSE_NORMAL : code, reason);
        return;
      }
      default: {
        const never: never = connection;
        throw new Error(`unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** Asks where the room is, and dials there. */
  #locate(): void {
    const locating: ConnectionState = { state: "locating" };
    this.#connection.become(locating);
    this.#identity
      .locate(this.#url)
      .then(({ url, epoch }) => {
        if (this.#connection.now !== locating) return;
        this.#epoch = epoch;
        this.#open(withControl(url));
      })
      .catch((cause: unknown) => {
        if (this.#connection.now !== locating) return;
        if (isOver(cause)) this.#over(cause.message);
        else this.#end({ code: CLOSE_ROOM_MOVED, reason: String(cause) });
      });
  }

  #open(url: string): void {
    const socket = this.#dial(url);
    this.#connection.become({ state: "connected", socket });
    socket.onopen = (event) => this.#events.onopen?.(event);
    socket.onerror = (event) => {
      const connection = this.#connection.now;
      const moves = connection.state === "connected" && connection.next !== undefined;
      if (this.#connection.socket === socket && !moves) this.#events.onerror?.(event);
    };
    this.#listen(socket);
  }

  #listen(socket: SessionSocket): void {
    socket.onmessage = ({ data }: { data: FrameBytes }) => {
      if (this.#connection.socket === socket) this.#take(socket, data);
    };
    socket.onclose = ({ code, reason }) => {
      const connection = this.#connection.now;
      if (connection.state === "leaving" && connection.socket === socket)
        this.#end(code === CLOSE_DROPPED ? { code: CLOSE_ABNORMAL, reason: "" } : { code, reason });
      else if (connection.state === "connected" && connection.socket === socket)
        this.#broke(connection, { code, reason });
    };
  }

  #take(socket: SessionSocket, data: FrameBytes): void {
    const bytes = bytesOf(data);
    if (isControl(bytes)) this.#control(socket, bytes);
    else this.#deliver(data);
  }

  #deliver(data: FrameBytes): void {
    this.#frames.came(data.byteLength);
    if (this.#rejoining) {
      this.#rejoining = false;
      const missing = this.#frames.takeMissing();
      if (missing.length > 0) this.#listener.undelivered(missing);
    }
    this.#watchdog.heard();
    this.#gap.frame(performance.now());
    this.#events.onmessage?.({ data });
    this.#confirm();
    this.#goingOver.trySwitch();
  }

  /** What has arrived here need not be kept there. */
  #confirm(): void {
    const { due } = this.#frames;
    const socket = this.#connection.socket;
    if (due === undefined || socket?.readyState !== OPEN) return;
    this.#frames.keeping();
    socket.send(encodeControl(due));
  }

  #control(socket: SessionSocket, frame: Uint8Array): void {
    const message = readControl(socket, frame);
    const connection = this.#connection.now;
    // Who leaves follows nobody.
    if (message === undefined || connection.state !== "connected") return;
    switch (message.type) {
      case "moving":
        this.#goingOver.begin(connection, message);
        this.#listener.moving(message.host);
        return;
      case "moved":
        this.#gap.stopped(performance.now());
        return;
      case "cancelled":
        if (this.#goingOver.cancel(connection, message.migrationId)) this.#listener.cancelled();
        return;
      case "ack":
        this.#frames.confirm(message.received);
        return;
      case "standby":
        this.#dropStandby();
        this.#standby = new Standby({
          url: () => this.#route(message.url),
          host: message.host,
          reconnectionToken: this.#identity.reconnectionToken,
          dial: this.#dial,
          onResumed: (standby, resumed, host) => this.#takenOver(standby, resumed, host),
          onMovedHere: (standby, resumed, host) => this.#movedTo(standby, resumed, host),
        });
        return;
      case "keeping":
        this.#frames.keeping();
        return;
      case "returned":
        this.#frames.returned(message.received);
        return;
      case "alive":
        if (message.measures === true) connection.measures = true;
        this.#watchdog.alive();
        return;
      case "measure":
        this.#listener.measure(message);
        return;
      case "digest": {
        const answer = this.#listener.compare(message);
        if (answer !== undefined) socket.send(encodeControl(answer));
        return;
      }
      case "map-order":
        this.#listener.ordered(message);
        return;
      case "resumed":
      case "replaying":
        return;
      default: {
        const never: never = message;
        throw new Error(`unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  #route(url: string): string {
    return this.#identity.route?.(url) ?? url;
  }

  /** The room has moved to its standby. */
  #movedTo(socket: SessionSocket, resumed: Resumed, host: HostSummary): void {
    this.#standby = undefined;
    if (resumed.epoch <= this.#epoch || !this.#goingOver.hasArrived(socket, resumed, host))
      socket.close(CLOSE_NORMAL, "the room is elsewhere");
  }

  /** This socket is the session now: sends again what the host has not seen, and measures what it cost. */
  #goOn(socket: SessionSocket, resumed: Resumed, to: { migrationId: string; host: HostSummary }): void {
    this.#connection.become({ state: "connected", socket });
    this.#dropStandby();
    this.#epoch = resumed.epoch;
    const { again, ...cost } = this.#frames.goOn(resumed);
    this.#listen(socket);
    for (const frame of again) socket.send(frame);
    // Only the connection is another: nobody moved.
    if (resumed.stayed === true) return;
    const { migrationId, host } = to;
    const { patchRateMs, restored = false } = resumed;
    this.#gap.onceMeasured(patchRateMs, (gapMs) => {
      if (socket.readyState === OPEN)
        socket.send(encodeControl({ type: "report", migrationId, gapMs, patchRateMs, ...cost }));
      const freezeMs = Math.max(0, gapMs - patchRateMs);
      this.#listener.moved({ migrationId, to: host, gapMs, freezeMs, ...cost, restored });
    });
  }

  #broke(connection: Connected, how: Ending): void {
    const { next } = connection;
    if (how.code === CLOSE_DROPPED) this.#end({ code: CLOSE_ABNORMAL, reason: "" });
    else if (next !== undefined) this.#goingOver.oldBroke(next);
    else if (
      // The room left between the seat and the connection; the seat went with it.
      how.code === CLOSE_ROOM_MOVED &&
      this.#frames.received === 0 &&
      this.#relocations++ < MAX_RELOCATIONS
    ) {
      this.#connection.become({ state: "locating", retry: after(RELOCATE_MS, () => this.#locate()) });
    } else if (UNMEANT.has(how.code)) this.#search.begin(how);
    else this.#end(how);
  }

  /** The room's host is lost and its standby runs the room. */
  #takenOver(socket: SessionSocket, resumed: Resumed, host: HostSummary): void {
    this.#standby = undefined;
    if (resumed.epoch <= this.#epoch) {
      socket.close(CLOSE_NORMAL, "the room is elsewhere");
      return;
    }
    const old = this.#connection.socket;
    this.#gap.resumed(performance.now());
    this.#goOn(socket, resumed, { migrationId: resumed.migrationId ?? "standby", host });
    old?.close(CLOSE_NORMAL, "moved");
  }

  #dropStandby(): void {
    this.#standby?.cancel();
    this.#standby = undefined;
  }

  /** There is no room to come back to: Colyseus does not try. */
  #over(reason: string): void {
    const old = this.#connection.socket;
    this.#end({ code: CLOSE_ROOM_ENDED, reason });
    old?.close(CLOSE_NORMAL, reason);
  }

  #end(how: Ending): void {
    this.#connection.become({ state: "closed" });
    this.#dropStandby();
    const frames = this.#frames.takeUnsent();
    if (frames.length > 0) this.#listener.undelivered(frames);
    this.#events.onclose?.(how);
  }
}
