/**
 * A Colyseus transport whose socket can be replaced while the room plays.
 *
 * While nothing moves it is one WebSocket. When the room host says `moving`, a second socket is opened to the
 * destination; its frames are held until every frame of the old one is in. Where the connection stands is one tagged union
 * (connection-state.ts), how many frames went each way is counted in session-frames.ts.
 */
import {
  CLOSE_DROPPED,
  CLOSE_GOING_OVER,
  CLOSE_ROOM_ENDED,
  CLOSE_ROOM_MOVED,
  type ClientControl,
  encodeControl,
  type HostSummary,
  isControl,
  MAX_CONTROL_FRAME_BYTES,
  type ServerControl,
} from "@centroid/protocol";
import { after, type ConnectionState, ownedBy } from "./connection-state.js";
import { readControl, withControl } from "./control.js";
import { bytesOf, type Dial, dialWebSocket, type FrameBytes, OPEN, type SessionSocket } from "./dial.js";
import { GapMeter } from "./gap-meter.js";
import { NextHost } from "./next-host.js";
import { isOver, Recovery, type Resumed } from "./recovery.js";
import { SessionFrames } from "./session-frames.js";
import { Standby } from "./standby.js";
import type { SessionIdentity, TransportEvents, TransportListener } from "./transport-events.js";
import { Watchdog } from "./watchdog.js";

/** A newcomer whose room is on the move looks for it so often, a move's longest pause apart in all. */
const MAX_RELOCATIONS = 20;
const RELOCATE_MS = 250;
/** Without an old connection, a destination that stays silent so long is given up for a reconnection. */
const ORPHAN_TIMEOUT_MS = 10_000;
/** What the old connection lost is waited for so long; then it counts as lost. */
const REPLAY_TIMEOUT_MS = 2_000;
/** What a standby said when it took the session over may come after the news that no other host will. */
const LAST_WORD_MS = 1_000;
const CLOSE_NORMAL = 1000;
const CLOSE_NO_STATUS = 1005;
const CLOSE_ABNORMAL = 1006;
/** Closes that nobody meant: going away, no status, abnormal, and Colyseus' "dial again". */
const UNMEANT = new Set([1001, 1005, CLOSE_ABNORMAL, CLOSE_ROOM_MOVED]);

type Connected = Extract<ConnectionState, { state: "connected" }>;
/** How a connection ended, as Colyseus is told. */
interface Ending {
  code: number;
  reason: string;
}

export class MigratingTransport {
  readonly #events: TransportEvents;
  readonly #listener: TransportListener;
  readonly #identity: SessionIdentity;
  readonly #dial: Dial;
  readonly #frames = new SessionFrames();
  readonly #gap = new GapMeter();
  readonly #watchdog = new Watchdog(
    () => this.#suspect(),
    () => this.#trust(),
  );
  #connection: ConnectionState = { state: "closed" };
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
    identity.onChosen?.(() => this.#goOver());
  }

  get isOpen(): boolean {
    const connection = this.#connection;
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
    return this.#socket?.readyState === OPEN;
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
    const socket = this.#socket;
    const carried = socket?.readyState === OPEN;
    this.#frames.sent(frame, carried);
    if (carried) socket.send(frame);
  }

  /** @returns false if nobody at the other end takes it just now; the broker can be told otherwise */
  measured(report: Omit<Extract<ClientControl, { type: "measured" }>, "type">): boolean {
    const connection = this.#connection;
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
    const connection = this.#connection;
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
        this.#become({ state: "leaving", socket });
        this.#dropStandby();
        // Without a code, as Colyseus does it: the room takes that for a broken connection.
        if (code === undefined) socket.close();
        else socket.close(code === 1001 || code < 1000 ? CLOSE_NORMAL : code, reason);
        return;
      }
      default: {
        const never: never = connection;
        throw new Error(`unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** The socket of now, if there is one. */
  get #socket(): SessionSocket | undefined {
    return "socket" in this.#connection ? this.#connection.socket : undefined;
  }

  /** The only way from one state to the next: ends what only the old one had. */
  #become(connection: ConnectionState): void {
    const before = this.#connection;
    this.#connection = connection;
    if (this.#socket !== ("socket" in before ? before.socket : undefined) || connection.state === "leaving")
      this.#watchdog.stop();
    const kept = new Set(ownedBy(connection));
    for (const owned of ownedBy(before)) if (!kept.has(owned)) owned.cancel();
  }

  /** Asks where the room is, and dials there. */
  #locate(): void {
    const locating: ConnectionState = { state: "locating" };
    this.#become(locating);
    this.#identity
      .locate(this.#url)
      .then(({ url, epoch }) => {
        if (this.#connection !== locating) return;
        this.#epoch = epoch;
        this.#open(withControl(url));
      })
      .catch((cause: unknown) => {
        if (this.#connection !== locating) return;
        if (isOver(cause)) this.#over(cause.message);
        else this.#end({ code: CLOSE_ROOM_MOVED, reason: String(cause) });
      });
  }

  #open(url: string): void {
    const socket = this.#dial(url);
    this.#become({ state: "connected", socket });
    socket.onopen = (event) => this.#events.onopen?.(event);
    socket.onerror = (event) => {
      const connection = this.#connection;
      const moves = connection.state === "connected" && connection.next !== undefined;
      if (this.#socket === socket && !moves) this.#events.onerror?.(event);
    };
    this.#listen(socket);
  }

  #listen(socket: SessionSocket): void {
    socket.onmessage = ({ data }: { data: FrameBytes }) => {
      if (this.#socket === socket) this.#take(socket, data);
    };
    socket.onclose = ({ code, reason }) => {
      const connection = this.#connection;
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
    this.#rejoining = false;
    this.#watchdog.heard();
    this.#gap.frame(performance.now());
    this.#events.onmessage?.({ data });
    this.#confirm();
    this.#trySwitch();
  }

  /** What has arrived here need not be kept there. */
  #confirm(): void {
    const { due } = this.#frames;
    const socket = this.#socket;
    if (due === undefined || socket?.readyState !== OPEN) return;
    this.#frames.keeping();
    socket.send(encodeControl(due));
  }

  #control(socket: SessionSocket, frame: Uint8Array): void {
    const message = readControl(socket, frame);
    const connection = this.#connection;
    // Who leaves follows nobody.
    if (message === undefined || connection.state !== "connected") return;
    switch (message.type) {
      case "moving":
        this.#moving(connection, message);
        return;
      case "moved":
        this.#gap.stopped(performance.now());
        return;
      case "cancelled": {
        const { next, ...staying } = connection;
        if (next?.migrationId !== message.migrationId) return;
        this.#become(staying);
        this.#listener.cancelled();
        return;
      }
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

  /** The room goes to another host: a second connection, beside the one of now. */
  #moving(connection: Connected, moving: Extract<ServerControl, { type: "moving" }>): void {
    const { migrationId, host, url, promotes } = moving;
    // The destination was faster.
    if (connection.next?.migrationId === migrationId) connection.next.url = url;
    else {
      const standby = promotes === true ? this.#standby?.take(host.hostId) : undefined;
      this.#become({ ...connection, next: this.#nextHost({ migrationId, host, url }, standby) });
    }
    this.#listener.moving(host);
  }

  /** The room has moved to its standby; what the old host has said before is still to come. */
  #movedTo(socket: SessionSocket, resumed: Resumed, host: HostSummary): void {
    this.#standby = undefined;
    const { epoch, migrationId } = resumed;
    const connection = this.#connection;
    const { state } = connection;
    const follows = state !== "closed" && state !== "leaving" && state !== "locating";
    if (!follows || epoch <= this.#epoch || migrationId === undefined) {
      socket.close(CLOSE_NORMAL, "the room is elsewhere");
      return;
    }
    const next = this.#nextHost({ migrationId, host, url: undefined }, socket);
    if (state === "connected") {
      const { suspicion: _, ...trusted } = connection;
      this.#become({ ...trusted, next });
    } else {
      const patience = after(ORPHAN_TIMEOUT_MS, () => this.#orphaned("the destination stays silent"));
      this.#become({ state: "arriving", next, patience });
    }
    next.resumed(resumed);
  }

  #nextHost(to: ConstructorParameters<typeof NextHost>[0], connected?: SessionSocket): NextHost {
    const next: NextHost = new NextHost(
      to,
      {
        onOpen: () => {
          if (this.#connection.state === "arriving") next.askReplay(this.#frames.received);
        },
        onResumed: () => {
          this.#gap.resumed(performance.now());
          this.#trySwitch();
        },
        onAck: (received) => this.#frames.confirm(received),
        onGivenUp: () => this.#givenUp(next),
      },
      this.#dial,
      (url) => this.#route(url),
      connected,
    );
    return next;
  }

  /** The destination was dialled often enough. */
  #givenUp(next: NextHost): void {
    const connection = this.#connection;
    if (connection.state === "arriving") this.#orphaned("the destination cannot be reached");
    else if (connection.state === "connected" && connection.next === next) {
      const { next: _, ...staying } = connection;
      this.#become(staying);
    }
  }

  /**
   * Goes over to the destination once nothing of the old connection is missing.
   * @param late what is missing does not come any more
   */
  #trySwitch(late = false): void {
    const connection = this.#connection;
    if (connection.state !== "connected" && connection.state !== "arriving") return;
    const { next } = connection;
    const arrived = next?.arrived;
    if (next === undefined || arrived === undefined) return;
    const { socket, resumed, held } = arrived;
    if (resumed.sent > this.#frames.received) {
      if (connection.state === "connected") return;
      // Its old connection broke before the last frame: the destination gets the rest from there.
      if (!late && (next.askReplay(this.#frames.received) || next.asking)) {
        const patience = after(REPLAY_TIMEOUT_MS, () => this.#trySwitch(true));
        this.#become({ state: "arriving", next, patience });
        return;
      }
    }
    const old = connection.state === "connected" ? connection.socket : undefined;
    next.release();
    this.#goOn(socket, resumed, next);
    old?.close(CLOSE_NORMAL, "moved");
    for (const data of held) this.#take(socket, data);
  }

  /** This socket is the session now: sends again what the host has not seen, and measures what it cost. */
  #goOn(socket: SessionSocket, resumed: Resumed, to: { migrationId: string; host: HostSummary }): void {
    this.#become({ state: "connected", socket });
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
    else if (next !== undefined) {
      const patience = after(ORPHAN_TIMEOUT_MS, () => this.#orphaned("the destination stays silent"));
      this.#become({ state: "arriving", next, patience });
      if (next.arrived !== undefined) this.#trySwitch();
      else next.askReplay(this.#frames.received);
    } else if (
      // The room left between the seat and the connection; the seat went with it.
      how.code === CLOSE_ROOM_MOVED &&
      this.#frames.received === 0 &&
      this.#relocations++ < MAX_RELOCATIONS
    ) {
      this.#become({ state: "locating", retry: after(RELOCATE_MS, () => this.#locate()) });
    } else if (UNMEANT.has(how.code)) this.#recover(how);
    else this.#end(how);
  }

  /** The host may be lost with the room; then the session goes on where the room is built again. */
  #recover(how: Ending): void {
    const recovery = this.#seek(() => {
      if (this.#standby?.waiting === true)
        this.#become({ state: "last-word", patience: after(LAST_WORD_MS, () => this.#end(how)) });
      else this.#end(how);
    });
    if (recovery === undefined) {
      this.#end(how);
      return;
    }
    this.#become({ state: "recovering", recovery });
    this.#gap.stopped(performance.now());
  }

  /** The room's host is lost and its standby runs the room. */
  #takenOver(socket: SessionSocket, resumed: Resumed, host: HostSummary): void {
    this.#standby = undefined;
    if (resumed.epoch <= this.#epoch) {
      socket.close(CLOSE_NORMAL, "the room is elsewhere");
      return;
    }
    const old = this.#socket;
    this.#gap.resumed(performance.now());
    this.#goOn(socket, resumed, { migrationId: resumed.migrationId ?? "standby", host });
    old?.close(CLOSE_NORMAL, "moved");
  }

  #dropStandby(): void {
    this.#standby?.cancel();
    this.#standby = undefined;
  }

  /** By another gateway, at the host where it is; what it misses meanwhile the host has kept. */
  #goOver(): boolean {
    const connection = this.#connection;
    if (connection.state !== "connected" || connection.next !== undefined) return false;
    if (!this.#frames.kept || connection.socket.readyState !== OPEN) return false;
    this.#broke(connection, { code: CLOSE_ABNORMAL, reason: "by another gateway" });
    connection.socket.close(CLOSE_GOING_OVER, "by another gateway");
    return true;
  }

  /** The host has been silent though it promised not to be: the room may have been restored elsewhere. */
  #suspect(): void {
    const connection = this.#connection;
    if (connection.state !== "connected" || connection.next !== undefined) return;
    // It may be the gateway that is silent: what this session misses the host has kept, wherever it is asked for it.
    if (this.#frames.kept && this.#identity.detour?.() === true) {
      this.#goOver();
      return;
    }
    if (connection.suspicion !== undefined) return;
    const suspicion = this.#seek(() => {
      this.#trust();
      if (this.#watchdog.silent) this.#suspect();
    }, this.#epoch);
    if (suspicion !== undefined) this.#become({ ...connection, suspicion });
  }

  /** The old connection is heard from: nobody need look for the room. */
  #trust(): void {
    const connection = this.#connection;
    if (connection.state !== "connected" || connection.suspicion === undefined) return;
    const { suspicion: _, ...trusted } = connection;
    this.#become(trusted);
  }

  /**
   * Looks for a host that takes this session back and goes on there.
   * @param newerThan the epoch of an old connection that is only silent, and may still bring more
   * @returns undefined before it has joined
   */
  #seek(onGivenUp: () => void, newerThan?: number): Recovery | undefined {
    const reconnectionToken = this.#identity.reconnectionToken();
    if (reconnectionToken === undefined || this.#frames.received === 0) return undefined;
    return new Recovery({
      locate: () => this.#identity.locate(this.#url),
      reconnectionToken,
      dial: this.#dial,
      had: () => ({ epoch: this.#epoch, received: this.#frames.received }),
      ...(newerThan === undefined ? { received: this.#frames.received } : { newerThan }),
      onResumed: (socket, resumed, { host }) => {
        const old = this.#socket;
        this.#gap.resumed(performance.now());
        this.#goOn(socket, resumed, { migrationId: resumed.migrationId ?? "restored", host });
        old?.close(CLOSE_NORMAL, "moved");
      },
      onGivenUp,
      onEnded: (reason) => this.#over(reason),
    });
  }

  /** Neither host answers: both may be lost, and the room built again on a third. */
  #orphaned(reason: string): void {
    this.#recover({ code: CLOSE_ROOM_MOVED, reason });
  }

  /** There is no room to come back to: Colyseus does not try. */
  #over(reason: string): void {
    const old = this.#socket;
    this.#end({ code: CLOSE_ROOM_ENDED, reason });
    old?.close(CLOSE_NORMAL, reason);
  }

  #end(how: Ending): void {
    this.#become({ state: "closed" });
    this.#dropStandby();
    const frames = this.#frames.takeUnsent();
    if (frames.length > 0) this.#listener.undelivered(frames);
    this.#events.onclose?.(how);
  }
}
