/**
 * Which room's code this process runs just now, written where the process's watch thread can read it even when that
 * code never ends. An agent so learns which message hung or ended the process, and the broker which room not to bring
 * to the next host.
 */
import { AsyncLocalStorage, AsyncResource, executionAsyncResource } from "node:async_hooks";
import type { RoomResources } from "./room-resources.js";

/** What a room does, for {@link Activity.run}: the type of a message, or a part of the simulation. */
export type Label = number;

/** Words: 0 beats, 1 label or 0, 2 bytes of the note. The note follows. */
export const BEATS = 0;
const CURRENT = 1;
const NOTE_BYTES = 2;
const WORDS = 3;
const MAX_NOTE_BYTES = 128;
const MAX_ASCII = 0x7f;
/** Of all rooms that are here, so many things are told apart: who watches has little memory. */
const MAX_LABELS = 20_000;
/** Message types are short. */
const MAX_TEXT = 100;

export interface LabelText {
  roomId: string;
  what: string;
}

export interface Activity {
  /** A name for what the room will do again and again. */
  label(roomId: string, what: string): Label;
  /** The room has ended here: nothing is done under these names any more. */
  forget(labels: Iterable<Label>): void;
  /**
   * Runs code of a room, on behalf of this session if there is one.
   * @param owner whose is what the code opens, then and later
   */
  run<T>(label: Label, sessionId: string, code: () => T, owner: RoomResources): T;
  /** Whose code runs just now. */
  readonly owner: RoomResources | undefined;
}

/** Of what a room does that has no name: it is not told apart. */
export const UNNAMED: Label = 0;

interface Cause {
  label: Label;
  sessionId: string;
  owner: RoomResources;
}

/** Where nobody watches: in tests. */
export const unwatched: Activity = {
  label: () => UNNAMED,
  forget: () => undefined,
  run: (_label, _sessionId, code) => code(),
  owner: undefined,
};

const encoder = new TextEncoder();

export class SharedActivity implements Activity {
  readonly shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT + MAX_NOTE_BYTES);
  readonly #words = new Int32Array(this.shared, 0, WORDS);
  readonly #note = new Uint8Array(this.shared, WORDS * Int32Array.BYTES_PER_ELEMENT);
  readonly #onLabel: (label: Label, text: LabelText | undefined) => void;
  readonly #causes = new AsyncLocalStorage<Cause>();
  readonly #scope = new AsyncResource("ROOM_CODE");
  /** Given so far, and of those the ones that are in use. */
  #given = 0;
  #used = 0;

  /** @param onLabel told what a label means, and that it means nothing any more */
  constructor(onLabel: (label: Label, text: LabelText | undefined) => void) {
    this.#onLabel = onLabel;
  }

  label(roomId: string, what: string): Label {
    if (this.#used >= MAX_LABELS) return UNNAMED;
    this.#used++;
    this.#onLabel(++this.#given, { roomId, what: what.slice(0, MAX_TEXT) });
    return this.#given;
  }

  forget(labels: Iterable<Label>): void {
    for (const label of labels) {
      if (label === UNNAMED) continue;
      this.#used--;
      this.#onLabel(label, undefined);
    }
  }

  run<T>(label: Label, sessionId: string, code: () => T, owner: RoomResources): T {
    const words = this.#words;
    const before = words[CURRENT] ?? 0;
    words[NOTE_BYTES] = this.#write(sessionId);
    words[CURRENT] = label;
    try {
      return this.#within({ label, sessionId, owner }, code);
    } finally {
      words[CURRENT] = before;
    }
  }

  /** @returns how many bytes the note has */
  #write(note: string): number {
    if (note.length > MAX_NOTE_BYTES) return encoder.encodeInto(note, this.#note).written;
    for (let at = 0; at < note.length; at++) {
      const unit = note.charCodeAt(at);
      if (unit > MAX_ASCII) return encoder.encodeInto(note, this.#note).written;
      this.#note[at] = unit;
    }
    return note.length;
  }

  /**
   * What uWebSockets.js calls runs, to Node 20, in the context of the global object, where to note a cause takes a
   * microsecond. An object of our own takes its place there, and nothing can be in that context yet.
   */
  #within<T>(cause: Cause, code: () => T): T {
    return executionAsyncResource() === globalThis
      ? this.#scope.runInAsyncScope(() => this.#causes.run(cause, code))
      : this.#causes.run(cause, code);
  }

  /** What this code was begun by, timers and promises later too. */
  get cause(): Cause | undefined {
    return this.#causes.getStore();
  }

  get owner(): RoomResources | undefined {
    return this.cause?.owner;
  }

  /** The event loop turns. */
  beat(): void {
    Atomics.add(this.#words, BEATS, 1);
  }
}

/** What the process does at this moment, if that is a room's code. */
export function readActivity(
  shared: SharedArrayBuffer,
  labels: ReadonlyMap<Label, LabelText>,
): (LabelText & { sessionId: string }) | undefined {
  const words = new Int32Array(shared, 0, WORDS);
  const text = labels.get(words[CURRENT] ?? 0);
  if (text === undefined) return undefined;
  const offset = WORDS * Int32Array.BYTES_PER_ELEMENT;
  const sessionId = Buffer.from(shared, offset, Math.min(MAX_NOTE_BYTES, words[NOTE_BYTES] ?? 0)).toString();
  return { ...text, sessionId };
}
