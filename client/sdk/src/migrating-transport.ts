/**
 * A Colyseus transport whose socket can be replaced while the room plays.
 *
 * While nothing moves it is one WebSocket. When the room host says `moving`, a second socket is opened to the
 * destination; its frames are held until every frame of the old one is in. Frames are counted on both sides
 * (protocol/session.ts), so none is lost, none is applied twice and their order stays.
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
import { readControl, withControl } from "./control.js";
import { bytesOf, type Dial, dialWebSocket, type FrameBytes, OPEN, type SessionSocket } from "./dial.js";
import { GapMeter } from "./gap-meter.js";
import { NextHost } from "./next-host.js";
import { Outbox } from "./outbox.js";
import { isOver, type Located, Recovery, type Resumed } from "./recovery.js";
import { Standby } from "./standby.js";
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
/** A host that keeps frames until they are confirmed is told after so many. */
const CONFIRM_FRAMES = 32;
const CONFIRM_BYTES = 64 * 1024;
const CLOSE_NORMAL = 1000;
const CLOSE_NO_STATUS = 1005;
const CLOSE_ABNORMAL = 1006;
/** Closes that nobody meant: going away, no status, abnormal, and Colyseus' "dial again". */
const UNMEANT = new Set([1001, 1005, CLOSE_ABNORMAL, CLOSE_ROOM_MOVED]);

/** Colyseus' event slots for a connection. */
export interface TransportEvents {
  onopen?: ((event: unknown) => unknown) | null;
  onmessage?: ((event: { data: FrameBytes }) => unknown) | null;
  onclose?: ((event: { code: number; reason: string }) => unknown) | null;
  onerror?: ((event: unknown) => unknown) | null;
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
  /** The broker's answer to what was {@link MigratingTransport.measured}. */
  measure(order: Extract<ServerControl, { type: "measure" }>): void;
  moved(move: Move): void;
  /** Sent while there was no connection, of a session that does not go on by itself; told just before it closes. */
  undelivered(frames: readonly Uint8Array[]): void;
}

export class MigratingTransport {
  readonly #events: TransportEvents;
  readonly #listener: TransportListener;
  readonly #identity: SessionIdentity;
  readonly #dial: Dial;
  readonly #outbox = new Outbox();
  readonly #gap = new GapMeter();
  #socket: SessionSocket | undefined;
  #next: NextHost | undefined;
  /** Frames of the outbox that no connection has carried yet. */
  #unsent: Uint8Array[] = [];
  /** Colyseus dials again: until the host has answered nobody there listens. */
  #rejoining = false;
  #received = 0;
  /** Of those, what the host was told; undefined if it does not ask. */
  #confirmed: number | undefined;
  #unconfirmedBytes = 0;
  /** The connection whose host takes what is measured. */
  #takesMeasured: SessionSocket | undefined;
  #lost = 0;
  #orphanTimer: ReturnType<typeof setTimeout> | undefined;
  #dialled = false;
  #url = "";
  #leaving = false;
  #relocations = 0;
  #epoch: number;
  #recovery: Recovery | undefined;
  #standby: Standby | undefined;
  #lastWord: ReturnType<typeof setTimeout> | undefined;
  /** A look for the room elsewhere while the old connection is silent. */
  #suspicion: Recovery | undefined;
  readonly #watchdog = new Watchdog(
    () => this.#suspect(),
    () => this.#trust(),
  );

  constructor(events: TransportEvents, listener: TransportListener, identity: SessionIdentity) {
    this.#events = events;
    this.#listener = listener;
    this.#identity = identity;
    this.#dial = identity.dial ?? dialWebSocket;
    this.#epoch = identity.epoch;
    identity.onChosen?.(() => this.#goOver());
  }

  get isOpen(): boolean {
    // While the session is on its way to another host the room is "open": what is sent waits in the outbox.
    if (this.#socket === undefined) return (this.#next ?? this.#recovery ?? this.#lastWord) !== undefined;
    if (this.#socket.readyState === OPEN) return !this.#rejoining;
    // One that breaks just now will have a successor; nobody has been told yet that it broke.
    return this.#received > 0 && !this.#leaving;
  }

  /** False while what is sent waits for a host. */
  get connected(): boolean {
    return this.#socket?.readyState === OPEN;
  }

  connect(url: string): void {
    this.#url = url;
    this.#relocations = 0;
    this.#leaving = false;
    this.#dropStandby();
    this.#outbox.reset();
    this.#unsent = [];
    this.#received = 0;
    this.#confirmed = undefined;
    if (!this.#dialled) {
      this.#dialled = true;
      this.#open(withControl(url));
      return;
    }
    this.#rejoining = true;
    this.#relocate();
  }

  send(data: Uint8Array): void {
    const frame = this.#identity.ownsFrames === true ? data : data.slice();
    this.#outbox.push(frame);
    if (this.#socket?.readyState === OPEN) this.#socket.send(frame);
    else this.#unsent.push(frame);
  }

  /** @returns false if nobody at the other end takes it just now; the broker can be told otherwise */
  measured(report: Omit<Extract<ClientControl, { type: "measured" }>, "type">): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket !== this.#takesMeasured || socket.readyState !== OPEN) return false;
    const frame = encodeControl({ type: "measured", ...report });
    if (frame.byteLength > MAX_CONTROL_FRAME_BYTES) return false;
    socket.send(frame as Uint8Array<ArrayBuffer>);
    return true;
  }

  /** WebSocket has no unreliable channel. */
  sendUnreliable(data: Uint8Array): void {
    this.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#leaving = true;
    this.#dropNext();
    this.#watchdog.stop();
    this.#trust();
    const waited = (this.#recovery ?? this.#lastWord) !== undefined;
    this.#dropStandby();
    if (waited) {
      this.#recovered()?.cancel();
      this.#ended({ code: code ?? CLOSE_NO_STATUS, reason: reason ?? "" });
    }
    // Without a code, as Colyseus does it: the room takes that for a broken connection.
    if (code === undefined) this.#socket?.close();
    else this.#socket?.close(code === 1001 || code < 1000 ? CLOSE_NORMAL : code, reason);
  }

  #relocate(): void {
    this.#identity
      .locate(this.#url)
      .then(({ url, epoch }) => {
        this.#epoch = epoch;
        this.#open(withControl(url));
      })
      .catch((cause: unknown) => {
        if (isOver(cause)) this.#over(cause.message);
        else this.#ended({ code: CLOSE_ROOM_MOVED, reason: String(cause) });
      });
  }

  #open(url: string): void {
    const socket = this.#dial(url);
    this.#socket = socket;
    socket.onopen = (event) => this.#events.onopen?.(event);
    socket.onerror = (event) => {
      if (this.#socket === socket && this.#next === undefined) this.#events.onerror?.(event);
    };
    this.#listen(socket);
  }

  #listen(socket: SessionSocket): void {
    socket.onmessage = ({ data }: { data: FrameBytes }) => {
      if (this.#socket === socket) this.#take(socket, data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#broke(code, reason);
    };
  }

  #take(socket: SessionSocket, data: FrameBytes): void {
    const bytes = bytesOf(data);
    if (isControl(bytes)) this.#control(socket, bytes);
    else this.#deliver(data);
  }

  #deliver(data: FrameBytes): void {
    this.#received++;
    this.#rejoining = false;
    this.#watchdog.heard();
    this.#gap.frame(performance.now());
    this.#events.onmessage?.({ data });
    if (this.#confirmed !== undefined) this.#confirm(this.#confirmed, data.byteLength);
    if (this.#next?.arrived !== undefined) this.#trySwitch();
  }

  /** What has arrived here need not be kept there. */
  #confirm(confirmed: number, bytes: number): void {
    this.#unconfirmedBytes += bytes;
    if (this.#received - confirmed < CONFIRM_FRAMES && this.#unconfirmedBytes < CONFIRM_BYTES) return;
    if (this.#socket?.readyState !== OPEN) return;
    this.#confirmed = this.#received;
    this.#unconfirmedBytes = 0;
    const message = encodeControl({ type: "received", received: this.#received });
    this.#socket.send(message as Uint8Array<ArrayBuffer>);
  }

  #control(socket: SessionSocket, frame: Uint8Array): void {
    const message = readControl(socket, frame);
    if (message === undefined) return;
    switch (message.type) {
      case "moving":
        this.#dropNext();
        this.#next = this.#follow(message);
        this.#listener.moving(message.host);
        return;
      case "moved":
        this.#gap.stopped(performance.now());
        return;
      case "cancelled":
        if (this.#next?.migrationId !== message.migrationId) return;
        this.#dropNext();
        this.#listener.cancelled();
        return;
      case "ack":
        this.#outbox.confirm(message.received);
        return;
      case "standby":
        this.#dropStandby();
        this.#standby = new Standby({
          url: () => this.#route(message.url),
          host: message.host,
          reconnectionToken: this.#identity.reconnectionToken,
          dial: this.#dial,
          onResumed: (standby, resumed, host) => this.#takenOver(standby, resumed, host),
        });
        return;
      case "keeping":
        this.#confirmed = this.#received;
        this.#unconfirmedBytes = 0;
        return;
      case "alive":
        if (message.measures === true) this.#takesMeasured = socket;
        this.#watchdog.alive();
        return;
      case "measure":
        this.#listener.measure(message);
        return;
      case "digest": {
        const answer = this.#listener.compare(message);
        if (answer !== undefined) socket.send(encodeControl(answer) as Uint8Array<ArrayBuffer>);
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

  #follow(moving: Extract<ServerControl, { type: "moving" }>): NextHost {
    const next = new NextHost(
      moving,
      {
        onOpen: () => {
          if (this.#socket === undefined) next.askReplay(this.#received);
        },
        onResumed: () => {
          this.#gap.resumed(performance.now());
          this.#trySwitch();
        },
        onAck: (received) => this.#outbox.confirm(received),
        onGivenUp: () => {
          if (this.#next !== next) return;
          this.#next = undefined;
          if (this.#socket === undefined) this.#orphaned("the destination cannot be reached");
        },
      },
      this.#dial,
      (url) => this.#route(url),
    );
    return next;
  }

  /**
   * Goes over to the destination once nothing of the old connection is missing.
   * @param late what is missing does not come any more
   */
  #trySwitch(late = false): void {
    const next = this.#next;
    const arrived = next?.arrived;
    if (next === undefined || arrived === undefined) return;
    const { socket, resumed, held } = arrived;
    const missing = resumed.sent - this.#received;
    if (missing > 0 && this.#socket !== undefined) return;
    // Its old connection broke before the last frame: the destination gets the rest from there.
    if (missing > 0 && !late && (next.askReplay(this.#received) || next.asking)) {
      clearTimeout(this.#orphanTimer);
      this.#orphanTimer = setTimeout(() => this.#trySwitch(true), REPLAY_TIMEOUT_MS);
      return;
    }
    const old = this.#socket;
    this.#next = undefined;
    next.release();
    clearTimeout(this.#orphanTimer);
    this.#goOn(socket, resumed, next);
    old?.close(CLOSE_NORMAL, "moved");
    for (const data of held) this.#take(socket, data);
  }

  /** This socket is the session now: sends again what the host has not seen, and measures what it cost. */
  #goOn(socket: SessionSocket, resumed: Resumed, to: { migrationId: string; host: HostSummary }): void {
    const restored = resumed.restored === true;
    // Ahead of the new host: after a move it will say these again, after a restoration it never said them.
    const ahead = Math.max(0, this.#received - resumed.sent);
    const duplicated = restored ? 0 : ahead;
    const undone = restored ? ahead : 0;
    this.#lost += Math.max(0, resumed.sent - this.#received);
    this.#socket = socket;
    // The outbox has them too.
    this.#unsent = [];
    this.#dropStandby();
    this.#watchdog.stop();
    this.#epoch = resumed.epoch;
    this.#received = resumed.sent;
    this.#confirmed = undefined;
    this.#listen(socket);
    const { frames, missing: unsendable } = this.#outbox.goOnAfter(resumed.received);
    for (const frame of frames) socket.send(frame);
    const lost = this.#lost + unsendable;
    this.#lost = 0;
    // Only the connection is another: nobody moved.
    if (resumed.stayed === true) return;
    this.#gap.onceMeasured(resumed.patchRateMs, (gapMs) => {
      const { patchRateMs } = resumed;
      if (socket.readyState === OPEN) {
        const report = {
          type: "report",
          migrationId: to.migrationId,
          gapMs,
          patchRateMs,
          lost,
          duplicated,
          undone,
        } as const;
        socket.send(encodeControl(report));
      }
      const freezeMs = Math.max(0, gapMs - patchRateMs);
      this.#listener.moved({
        migrationId: to.migrationId,
        to: to.host,
        gapMs,
        freezeMs,
        lost,
        duplicated,
        undone,
        restored,
      });
    });
  }

  #broke(code: number, reason: string): void {
    this.#socket = undefined;
    this.#watchdog.stop();
    this.#trust();
    if (code === CLOSE_DROPPED) {
      this.#dropNext();
      this.#dropStandby();
      this.#ended({ code: CLOSE_ABNORMAL, reason: "" });
      return;
    }
    const next = this.#next;
    if (next === undefined) {
      // The room left between the seat and the connection; the seat went with it.
      const early = code === CLOSE_ROOM_MOVED && this.#received === 0;
      if (early && this.#relocations++ < MAX_RELOCATIONS) setTimeout(() => this.#relocate(), RELOCATE_MS);
      else if (this.#leaving || !UNMEANT.has(code) || !this.#recover(code, reason)) {
        this.#dropStandby();
        this.#ended({ code, reason });
      }
      return;
    }
    if (next.arrived !== undefined) {
      this.#trySwitch();
      return;
    }
    next.askReplay(this.#received);
    this.#orphanTimer = setTimeout(() => this.#orphaned("the destination stays silent"), ORPHAN_TIMEOUT_MS);
  }

  /** The host may be lost with the room; then the session goes on where the room is built again. */
  #recover(code: number, reason: string): boolean {
    this.#recovery = this.#seek({
      onResumed: () => this.#recovered(),
      onGivenUp: () => {
        this.#recovered();
        const end = (): void => {
          this.#dropStandby();
          this.#ended({ code, reason });
        };
        if (this.#standby?.waiting === true) this.#lastWord = setTimeout(end, LAST_WORD_MS);
        else end();
      },
    });
    if (this.#recovery === undefined) return false;
    this.#gap.stopped(performance.now());
    return true;
  }

  /** The room's host is lost and its standby runs the room. */
  #takenOver(socket: SessionSocket, resumed: Resumed, host: HostSummary): void {
    this.#standby = undefined;
    if (resumed.epoch <= this.#epoch) {
      socket.close(CLOSE_NORMAL, "the room is elsewhere");
      return;
    }
    const old = this.#socket;
    this.#dropNext();
    this.#trust();
    this.#recovered()?.cancel();
    this.#gap.resumed(performance.now());
    this.#goOn(socket, resumed, { migrationId: resumed.migrationId ?? "standby", host });
    old?.close(CLOSE_NORMAL, "moved");
  }

  #dropStandby(): void {
    clearTimeout(this.#lastWord);
    this.#lastWord = undefined;
    this.#standby?.cancel();
    this.#standby = undefined;
  }

  /** By another gateway, at the host where it is; what it misses meanwhile the host has kept. */
  #goOver(): boolean {
    const old = this.#socket;
    if (this.#confirmed === undefined || old?.readyState !== OPEN || this.#next !== undefined) return false;
    this.#broke(CLOSE_ABNORMAL, "by another gateway");
    old.close(CLOSE_GOING_OVER, "by another gateway");
    return true;
  }

  /** The host has been silent though it promised not to be: the room may have been restored elsewhere. */
  #suspect(): void {
    const old = this.#socket;
    if (old === undefined || this.#next !== undefined) return;
    // It may be the gateway that is silent: what this session misses the host has kept, wherever it is asked for it.
    if (this.#confirmed !== undefined && this.#identity.detour?.() === true) {
      this.#goOver();
      return;
    }
    const end = (): void => {
      this.#suspicion = undefined;
    };
    this.#suspicion ??= this.#seek({
      newerThan: this.#epoch,
      onResumed: () => {
        end();
        old.close(CLOSE_NORMAL, "moved");
      },
      onGivenUp: () => {
        end();
        if (this.#watchdog.silent) this.#suspect();
      },
    });
  }

  /** Looks for a host that takes this session back and goes on there. @returns undefined before it has joined */
  #seek(o: { newerThan?: number; onResumed: () => void; onGivenUp: () => void }): Recovery | undefined {
    const reconnectionToken = this.#identity.reconnectionToken();
    if (reconnectionToken === undefined || this.#received === 0) return undefined;
    return new Recovery({
      locate: () => this.#identity.locate(this.#url),
      reconnectionToken,
      dial: this.#dial,
      had: () => ({ epoch: this.#epoch, received: this.#received }),
      // An old connection that is only silent may still bring more.
      ...(o.newerThan === undefined ? { received: this.#received } : { newerThan: o.newerThan }),
      onResumed: (socket, resumed, { host }) => {
        this.#gap.resumed(performance.now());
        this.#goOn(socket, resumed, { migrationId: resumed.migrationId ?? "restored", host });
        o.onResumed();
      },
      onGivenUp: o.onGivenUp,
      onEnded: (reason) => this.#over(reason),
    });
  }

  #ended(how: { code: number; reason: string }): void {
    const frames = this.#unsent;
    this.#unsent = [];
    if (frames.length > 0) this.#listener.undelivered(frames);
    this.#events.onclose?.(how);
  }

  /** There is no room to come back to: Colyseus does not try. */
  #over(reason: string): void {
    const old = this.#socket;
    this.#socket = undefined;
    this.#recovery = undefined;
    this.#dropNext();
    this.#dropStandby();
    this.#watchdog.stop();
    this.#trust();
    old?.close(CLOSE_NORMAL, reason);
    this.#ended({ code: CLOSE_ROOM_ENDED, reason });
  }

  #trust(): void {
    this.#suspicion?.cancel();
    this.#suspicion = undefined;
  }

  #recovered(): Recovery | undefined {
    const recovery = this.#recovery;
    this.#recovery = undefined;
    return recovery;
  }

  /** Neither host answers: both may be lost, and the room built again on a third. */
  #orphaned(reason: string): void {
    this.#dropNext();
    if (!this.#recover(CLOSE_ROOM_MOVED, reason)) this.#ended({ code: CLOSE_ROOM_MOVED, reason });
  }

  #dropNext(): void {
    clearTimeout(this.#orphanTimer);
    this.#next?.cancel();
    this.#next = undefined;
  }
}
