/**
 * One player's frame stream, on whatever socket carries it at the moment.
 *
 * Counts data frames both ways (see protocol/session.ts); holds outgoing frames while no socket is attached;
 * keeps copies while a migration may still need them again.
 */
import { EventEmitter } from "node:events";
import {
  CLOSE_ABNORMAL,
  CLOSE_DROPPED,
  CLOSE_ROOM_MOVED,
  CLOSE_TOO_FAST,
  type ClientControl,
  decodeClientControl,
  encodeControl,
  isControl,
  type ServerControl,
} from "@centroid/protocol";
import type { ServerSocket } from "../sockets/server-socket.js";
import { UnconfirmedFrames } from "./unconfirmed-frames.js";

/** After so many data frames from a client its kept copies are released by an `ack`. */
const ACK_EVERY_FRAMES = 256;
/** Frames held for a player who does not come; past this it is dropped like any dead connection. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
/** Put aside of one player while its room stands still; more than anybody sends in the seconds that a move may take. */
const MAX_LATE_BYTES = 4 * 1024 * 1024;
/** WebSocket close codes used here beside 1006, as which Colyseus sees a broken socket; the 4000 range is ours. */
const CLOSE_SUPERSEDED = 4011;
export const CLOSE_FRAME = 4012;
const ALIVE = encodeControl({ type: "alive" });
const ALIVE_AND_MEASURES = encodeControl({ type: "alive", measures: true });

export interface LinkCounters {
  sent: number;
  received: number;
}

/** Emits `message` (data frame), `control` (ClientControl) and `close` (code), once. */
export class SessionLink extends EventEmitter {
  /** Set by Colyseus on the reference of a client. */
  onleave: ((code: number) => void) | undefined;
  readonly centroid: boolean;
  /** `receipt`: what arrived is confirmed. `checkpoint`: only what {@link durable} names is. */
  acknowledge: "receipt" | "checkpoint" = "receipt";
  /** The client can compare its state with the room's. */
  compares = false;
  /** Asked before each frame: a process that stood still for long finds out here that it may not run the room, and freezes it. */
  beforeFrame: () => void = () => undefined;
  sent: number;
  received: number;
  #socket: ServerSocket | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #retained: Uint8Array[] | undefined;
  #retainedFrom = 0;
  /** While a gateway carries it. */
  #unconfirmed: UnconfirmedFrames | undefined;
  /** While frozen: frames that arrived after the freeze, for the case that the room goes on here. */
  #late: Buffer[] | undefined;
  #lateBytes = 0;
  /** Until the client has said something on this socket it may not have got it: its next one brings all of this again. */
  #unproven: { frames: Uint8Array[]; bytes: number; onBroken: () => void } | undefined;
  #closed = false;
  /** While another host says the same to the client. */
  #mirrors = false;
  /** Confirmed to the client so far. */
  #confirmed = 0;
  /** At the last call of {@link alive}; and the socket that it was last said on. */
  #sentBefore = 0;
  #toldAlive: ServerSocket | undefined;

  constructor(centroid: boolean, counters: LinkCounters = { sent: 0, received: 0 }) {
    super();
    this.centroid = centroid;
    this.sent = counters.sent;
    this.received = counters.received;
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * As {@link attach}, for a client that may have given this socket up: if it breaks before the client has said anything
   * on it, `onBroken` is called instead of `close`, and everything sent from here on is there for the next one.
   * @param heard so much of what was sent on such sockets before the client has had
   */
  attachUnproven(
    socket: ServerSocket,
    first: ServerControl | undefined,
    heard: number,
    onBroken: () => void,
  ): void {
    const before = this.#unproven?.frames ?? [];
    const frames = [...before, ...this.#held];
    const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
    this.attach(socket, first, before.slice(heard));
    this.#unproven = { frames, bytes, onBroken };
  }

  /**
   * The client dials again: a socket on which it has said nothing yet it has given up, whether that is known here or not.
   * Does nothing if it has said something. What it says there may still be on its way: then it looks for the room again.
   */
  giveUpUnproven(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#unproven === undefined) return;
    this.#broke(CLOSE_ROOM_MOVED);
    socket.close(CLOSE_ROOM_MOVED, "another connection came; dial again");
  }

  /** Frames go to this socket from now on, those held first. An older socket is closed. */
  attach(socket: ServerSocket, first?: ServerControl, before: readonly Uint8Array[] = []): void {
    const old = this.#socket;
    this.#socket = socket;
    old?.close(CLOSE_SUPERSEDED, "another connection took over");
    socket.onMessage((frame) => {
      if (this.#socket === socket) this.#receive(frame);
    });
    socket.onClose((code) => {
      if (this.#socket === socket) this.#broke(code);
    });
    if (first !== undefined) socket.send(encodeControl(first));
    this.#keep(socket, before);
    for (const frame of [...before, ...this.#held]) socket.send(frame);
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** What a gateway takes and does not pass on before it ends is nowhere else. */
  #keep(socket: ServerSocket, before: readonly Uint8Array[]): void {
    if (socket.carried !== true || !this.centroid) {
      this.#unconfirmed = undefined;
      return;
    }
    const frames = [...before, ...this.#held];
    this.#unconfirmed = new UnconfirmedFrames(this.sent - frames.length);
    for (const frame of frames) this.#unconfirmed.push(frame);
    socket.send(encodeControl({ type: "keeping" }));
  }

  /**
   * The session goes on over this socket, at the host where it is: the gateway that carried it is lost.
   * @param received data frames that the client has
   * @returns false if that cannot be, since more is missing than was kept
   */
  goOn(socket: ServerSocket, received: number, at: { epoch: number; patchRateMs: number }): boolean {
    const frames = this.#closed || this.#late !== undefined ? undefined : this.#unconfirmed?.after(received);
    if (frames === undefined) return false;
    // They are among those.
    this.#held = [];
    const counters = { received: this.received, sent: received };
    this.attach(socket, { type: "resumed", ...at, ...counters, stayed: true }, frames);
    return true;
  }

  /**
   * The gateway that carries the session is lost, and with it what the client needs of its former host: all that was sent
   * from here waits for the next connection.
   * @param from data frames that were sent before the session came here
   * @returns false if that cannot be, since not all of it was kept
   */
  letGo(from: number): boolean {
    const frames = this.#closed || this.#late !== undefined ? undefined : this.#unconfirmed?.after(from);
    if (frames === undefined) return false;
    const old = this.#socket;
    this.#socket = undefined;
    this.#unconfirmed = undefined;
    this.#held = frames;
    this.#heldBytes = frames.reduce((sum, { byteLength }) => sum + byteLength, 0);
    old?.close(CLOSE_SUPERSEDED, "the gateway is lost");
    return true;
  }

  /** One data frame to the client. The bytes may be reused by the caller. */
  send(frame: Uint8Array): void {
    if (this.#closed) return;
    this.sent++;
    if (this.#mirrors) return;
    if (this.#retained !== undefined) this.#retained.push(Buffer.from(frame));
    this.#unconfirmed?.push(frame);
    if (this.#unproven !== undefined) {
      this.#unproven.frames.push(Buffer.from(frame));
      this.#unproven.bytes += frame.byteLength;
      if (this.#unproven.bytes > MAX_HELD_BYTES) this.#end(CLOSE_ABNORMAL);
      else this.#socket?.send(frame);
      return;
    }
    if (this.#socket !== undefined) {
      this.#socket.send(frame);
      return;
    }
    this.#heldBytes += frame.byteLength;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#end(CLOSE_ABNORMAL);
    else this.#held.push(Buffer.from(frame));
  }

  /** Frames are only counted while it is on: another host, which does the same, says them. */
  set mirrors(on: boolean) {
    this.#mirrors = on;
  }

  /** A data frame that the client has said at another host. */
  mirror(frame: Buffer): void {
    this.#deliver(frame);
  }

  /** Frames that were counted before, over the socket of now. */
  resend(frames: readonly Uint8Array[]): void {
    this.control({ type: "replaying", count: frames.length });
    for (const frame of frames) this.#socket?.send(frame);
  }

  control(message: ServerControl): void {
    if (this.centroid) this.#socket?.send(encodeControl(message));
  }

  /**
   * Nothing to say, but still here. To be called twice a second; a client that knows it by whatever else it was sent since
   * is not told. On a new socket it is said all the same: with it the client's watch begins.
   */
  alive(): void {
    const measures = this.#socket?.measures === true;
    const isHeard = measures && this.sent > this.#sentBefore && this.#toldAlive === this.#socket;
    this.#sentBefore = this.sent;
    if (!this.centroid || isHeard) return;
    this.#toldAlive = this.#socket;
    this.#socket?.send(measures ? ALIVE_AND_MEASURES : ALIVE);
  }

  /** Copies of frames sent from now on are kept until {@link forget}. */
  retain(): void {
    this.#retained = [];
    this.#retainedFrom = this.sent;
  }

  forget(): void {
    this.#retained = undefined;
  }

  /** Frames after the first `received`, or undefined if some of them were not kept. */
  replay(received: number): Uint8Array[] | undefined {
    if (received > this.sent) return undefined;
    if (this.#retained === undefined || received < this.#retainedFrom)
      return this.#unconfirmed?.after(received);
    return this.#retained.slice(received - this.#retainedFrom);
  }

  /** The first `received` frames of the client survive this host: it may forget them. */
  durable(received: number): void {
    if (received <= this.#confirmed) return;
    this.#confirmed = received;
    this.control({ type: "ack", received });
  }

  /** Data frames are put aside instead of being counted and delivered. */
  freeze(): void {
    this.#late = [];
    this.#lateBytes = 0;
  }

  /** The room goes on here: what was put aside is delivered. */
  thaw(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const frame of late) this.#deliver(frame);
  }

  /** What was put aside, for whoever runs the room next. */
  takeLate(): Buffer[] {
    const late = this.#late ?? [];
    this.#late = undefined;
    return late;
  }

  /** The session lives elsewhere now: no more events; the socket stays for the client to close. */
  moveAway(): ServerSocket | undefined {
    const socket = this.#socket;
    this.removeAllListeners();
    this.onleave = undefined;
    this.#socket = undefined;
    this.#closed = true;
    return socket;
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    this.#end(code);
    socket?.close(code === CLOSE_ABNORMAL && this.centroid ? CLOSE_DROPPED : code, reason);
  }

  /** The player did not come within its grace: as if the connection broke. */
  abandon(): void {
    this.#end(CLOSE_ABNORMAL);
  }

  #receive(frame: Buffer): void {
    this.#unproven = undefined;
    if (this.centroid && isControl(frame)) {
      let message: ClientControl;
      try {
        message = decodeClientControl(frame);
      } catch {
        this.close(CLOSE_FRAME, "invalid control frame");
        return;
      }
      if (message.type === "received") this.#unconfirmed?.confirm(message.received);
      else this.emit("control", message);
      return;
    }
    this.beforeFrame();
    if (this.#late === undefined) {
      this.#deliver(frame);
      return;
    }
    this.#lateBytes += frame.byteLength;
    if (this.#lateBytes > MAX_LATE_BYTES)
      // What it said goes unheard from here on, so it must not go on as if it had been.
      this.#socket?.close(CLOSE_TOO_FAST, "too much said while the room stands still; join again");
    // uWebSockets.js takes its memory back when the callback returns.
    else this.#late.push(Buffer.from(frame));
  }

  #deliver(frame: Buffer): void {
    this.received++;
    try {
      this.emit("message", frame);
    } catch (cause) {
      // An author's handler threw: that ends neither the frames behind this one nor the other players'.
      queueMicrotask(() => {
        throw cause;
      });
    }
    if (this.acknowledge === "receipt" && this.received % ACK_EVERY_FRAMES === 0)
      this.control({ type: "ack", received: this.received });
  }

  #broke(code: number): void {
    this.#socket = undefined;
    if (this.#unproven !== undefined) {
      this.#unproven.onBroken();
      return;
    }
    this.emit("broken", code);
    // While a migration is on, the room decides later: the client may already be at the destination.
    if (this.#retained === undefined) this.#end(code);
  }

  #end(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket = undefined;
    this.#held = [];
    this.#unproven = undefined;
    this.emit("close", code);
  }
}
