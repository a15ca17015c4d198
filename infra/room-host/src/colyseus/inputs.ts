/**
 * The input of a room with defineInput(): what each player said that the room has not taken yet, and all by which later
 * frames are understood and acknowledged. The private parts of @colyseus/core 0.18.17's input are touched here only; the
 * contract test names that version.
 */
import { CentroidError } from "@centroid/protocol";
import type { Client, Room } from "@colyseus/core";
import type { Schema } from "@colyseus/schema";
import { internals } from "./core-internals.js";
import type { MovableClient } from "./movable-client.js";
import { FieldsOfClasses } from "./schema/internals.js";

type Values = unknown[];

/** One player's input. */
export interface InputRecord {
  /** Fields as decoded last: each frame carries only what differs from them. */
  latest: Values;
  receivedCount: number;
  /** What the next time stamp is relative to. */
  stampBaseline: number;
  /** Undefined if the room keeps only the latest. */
  buffer: BufferRecord | undefined;
  /** Frames that wait until the buffer has room for them. */
  queued: Uint8Array[];
}

interface BufferRecord {
  items: Values[];
  renderTimesMs: number[];
  reckonTimesMs: number[];
  /** Of unreliable input, which has numbers of its own. */
  seqs: number[] | undefined;
  lastConsumedSeq: number;
  lastSeq: number;
  consumedCount: number;
  lastRenderTimeMs: number;
  lastReckonTimeMs: number;
  lastWasIdle: boolean;
}

/** Which time stamps inputs carry: settled when the first player joins. */
export interface InputTimeline {
  snapshot?: boolean;
  reckon?: boolean;
}

interface InputBuffer {
  readonly size: number;
  _items: Schema[];
  _head: number;
  _renderTimes: number[];
  _reckonTimes: number[];
  _seqs?: number[];
  _lastConsumedSeq: number;
  _lastSeq: number;
  consumedCount: number;
  _lastRenderTime: number;
  _lastReckonTime: number;
  _lastWasIdle: boolean;
}
interface InputClient {
  _input?: Schema;
  _inputBuffer?: InputBuffer;
  _receivedInputCount?: number;
  _reckonBaseline?: number;
}
export interface InputController {
  options: { ctor: new () => Schema; bufferMaxSize: number };
  api: object;
  allocate(client: Client): void;
  register(sessionId: string, client: Client): void;
  handshakeSections(): { tag: number; bytes: Uint8Array }[] | undefined;
}

const inside = (client: MovableClient): InputClient => client as unknown as InputClient;

export class RoomInputs {
  readonly #room: Room;
  readonly #fields = new FieldsOfClasses();
  #timeline: InputTimeline | undefined;
  #late = false;

  constructor(room: Room) {
    this.#room = room;
  }

  get #controller(): InputController | undefined {
    return internals(this.#room)._inputController;
  }

  /** What defineInput() gave the author. */
  get api(): object | undefined {
    return this.#controller?.api;
  }

  /** To be called when `onCreate` has returned: input that is defined later is not defined on the next host. */
  created(): void {
    this.#late = this.#controller === undefined;
  }

  /** @throws CentroidError ROOM_NOT_MOVABLE */
  assertMovable(): void {
    if (this.#late && this.#controller !== undefined)
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        "defineInput() was called after onCreate(), which nothing repeats on another host; call it in a field or in onCreate()",
      );
  }

  /** As Colyseus asks for it, once in a room's life. */
  timeline(read: () => InputTimeline | undefined): InputTimeline {
    this.#timeline ??= read() ?? {};
    return this.#timeline;
  }

  exportTimeline(): InputTimeline | undefined {
    return this.#timeline;
  }

  importTimeline(timeline: InputTimeline | undefined): void {
    this.#timeline ??= timeline;
  }

  /** Inputs that wait to be taken, and whether the next would push out the oldest. */
  pending(client: MovableClient): { count: number; full: boolean } {
    const count = inside(client)._inputBuffer?.size ?? 0;
    const most = this.#controller?.options.bufferMaxSize ?? 0;
    return { count, full: most > 0 && count >= most };
  }

  /** A client without input yet, as one that has just joined. */
  begin(client: MovableClient): void {
    this.#controller?.allocate(client.asClient());
    this.#controller?.register(client.sessionId, client.asClient());
  }

  /** What Colyseus' handshake says of input beside the state. */
  handshakeSections(): { tag: number; bytes: Uint8Array }[] | undefined {
    return this.#controller?.handshakeSections();
  }

  export(client: MovableClient, queued: readonly Uint8Array[]): InputRecord | undefined {
    const { _input, _inputBuffer: buffer, _receivedInputCount = 0, _reckonBaseline = 0 } = inside(client);
    if (_input === undefined) return undefined;
    return {
      latest: this.#read(_input),
      receivedCount: _receivedInputCount,
      stampBaseline: _reckonBaseline,
      buffer: buffer && {
        items: buffer._items.slice(buffer._head).map((item) => this.#read(item)),
        renderTimesMs: buffer._renderTimes.slice(buffer._head),
        reckonTimesMs: buffer._reckonTimes.slice(buffer._head),
        seqs: buffer._seqs?.slice(buffer._head),
        lastConsumedSeq: buffer._lastConsumedSeq,
        lastSeq: buffer._lastSeq,
        consumedCount: buffer.consumedCount,
        lastRenderTimeMs: buffer._lastRenderTime,
        lastReckonTimeMs: buffer._lastReckonTime,
        lastWasIdle: buffer._lastWasIdle,
      },
      queued: queued.map((frame) => Buffer.from(frame)),
    };
  }

  /** The client's input as it was on another host. @throws CentroidError ROOM_ERROR if the room has none here */
  import(client: MovableClient, record: InputRecord | undefined): void {
    this.begin(client);
    const { _input, _inputBuffer: buffer } = inside(client);
    if (record === undefined) return;
    if (_input === undefined || (record.buffer !== undefined && buffer === undefined))
      throw new CentroidError(
        "ROOM_ERROR",
        "the room takes input on one host only; both must run the same rooms",
      );
    this.#write(_input, record.latest);
    const own = inside(client);
    own._receivedInputCount = record.receivedCount;
    own._reckonBaseline = record.stampBaseline;
    if (buffer === undefined || record.buffer === undefined) return;
    const { items, renderTimesMs, reckonTimesMs, seqs, ...counts } = record.buffer;
    buffer._items.push(...items.map((values) => this.#write(this.#make(), values)));
    buffer._renderTimes.push(...renderTimesMs);
    buffer._reckonTimes.push(...reckonTimesMs);
    if (seqs !== undefined) buffer._seqs = [...seqs];
    buffer._lastConsumedSeq = counts.lastConsumedSeq;
    buffer._lastSeq = counts.lastSeq;
    buffer.consumedCount = counts.consumedCount;
    buffer._lastRenderTime = counts.lastRenderTimeMs;
    buffer._lastReckonTime = counts.lastReckonTimeMs;
    buffer._lastWasIdle = counts.lastWasIdle;
  }

  #make(): Schema {
    const controller = this.#controller;
    if (controller === undefined) throw new CentroidError("INTERNAL", "no input in this room");
    return new controller.options.ctor();
  }

  #read(input: Schema): Values {
    const values = input as unknown as Record<string, unknown>;
    return this.#fields
      .of(input.constructor)
      .map((field) => (field === undefined ? undefined : values[field.name]));
  }

  #write(input: Schema, values: Values): Schema {
    const into = input as unknown as Record<string, unknown>;
    this.#fields.of(input.constructor).forEach((field, index) => {
      if (field !== undefined && values[index] !== undefined) into[field.name] = values[index];
    });
    return input;
  }
}
