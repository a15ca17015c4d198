/**
 * Streams of a state: t.stream(), and maps, sets and collections with .stream(). Their items go out some per patch, so a
 * move carries what each client has had and what it is still to get. Full states leave streams out: to a client whose room
 * was restored, all that it should have is sent again.
 */
import { Protocol } from "@colyseus/core";
import { $refId, type Encoder, OPERATION, type StateView } from "@colyseus/schema";
import { type Ref, type StreamBook, type StreamInternals, targetOf } from "./internals.js";

export interface StreamRecord {
  refId: number;
  maxPerTick: number;
  pending: number[];
  sent: number[];
  deletes: number[];
  views: [sessionId: string, pending: number[], sent: number[]][];
  /** Positions that a lost host may have given to items since the room was saved. */
  undone: Range | undefined;
}

type Range = readonly [from: number, to: number];

interface Viewer {
  sessionId: string;
  view: StateView | undefined;
}
interface Streaming {
  root: { streamTrees: Set<StreamInternals> };
  _emitStreamPriority(view: StateView): void;
  _emitStreamBroadcast(buffer: Uint8Array, at: { offset: number }): void;
}

/** As many items as nobody adds to a stream between two checkpoints. */
const UNDONE_POSITIONS = 2048;
/** Enough for the largest stream that anybody has been seen to send at once; made larger when it is not. */
const FIRST_BUFFER_BYTES = 64 * 1024;

const streamsOf = (encoder: Encoder): StreamInternals[] => [
  ...(encoder as unknown as Streaming).root.streamTrees,
];
const numberOf = (view: StateView): number => (view as unknown as { id: number }).id;
const bookOf = (stream: StreamInternals): StreamBook => {
  const book = (targetOf(stream as unknown as Ref) as unknown as StreamInternals)._stream;
  if (book === undefined) throw new Error("a stream that is in the state has no book");
  return book;
};

export class RoomStreams {
  /** By refId, of a room that was restored. */
  readonly #undone = new Map<number, Range>();

  export(encoder: Encoder | undefined, viewers: readonly Viewer[]): StreamRecord[] {
    if (encoder === undefined) return [];
    return streamsOf(encoder).map((stream) => {
      const book = bookOf(stream);
      const refId = stream[$refId] ?? 0;
      return {
        refId,
        maxPerTick: book.maxPerTick,
        pending: [...book.broadcastPending],
        sent: [...book.sentBroadcast],
        deletes: [...book.broadcastDeletes],
        views: viewers.flatMap(({ sessionId, view }): StreamRecord["views"] => {
          if (view === undefined || numberOf(view) < 0) return [];
          const pending = book.pendingByView.get(numberOf(view)) ?? [];
          return [[sessionId, [...pending], [...(book.sentByView.get(numberOf(view)) ?? [])]]];
        }),
        undone: this.#undone.get(refId),
      };
    });
  }

  /** Views that order a stream by a closure: on another host they have the order that the schema declares. */
  closures(encoder: Encoder | undefined): string[] {
    if (encoder === undefined) return [];
    return streamsOf(encoder).flatMap((stream) =>
      (bookOf(stream).priorityByView?.size ?? 0) > 0
        ? ["the order that view.subscribe(stream, priority) gives: subscribe again in onThaw()"]
        : [],
    );
  }

  /** The state and the views are as they were. */
  import(records: readonly StreamRecord[], encoder: Encoder | undefined, viewers: readonly Viewer[]): void {
    if (encoder === undefined) return;
    for (const record of records) {
      const stream = encoder.root.changeTrees[record.refId]?.ref as unknown as StreamInternals | undefined;
      if (stream === undefined) continue;
      const book = bookOf(stream);
      book.maxPerTick = record.maxPerTick;
      refill(book.broadcastPending, record.pending);
      refill(book.sentBroadcast, record.sent);
      refill(book.broadcastDeletes, record.deletes);
      book.pendingByView.clear();
      book.sentByView.clear();
      for (const [sessionId, pending, sent] of record.views) {
        const view = viewers.find((viewer) => viewer.sessionId === sessionId)?.view;
        if (view === undefined || numberOf(view) < 0) continue;
        book.pendingByView.set(numberOf(view), new Set(pending));
        book.sentByView.set(numberOf(view), new Set(sent));
      }
      if (record.undone !== undefined) this.#undone.set(record.refId, record.undone);
    }
  }

  /** The room goes on from a checkpoint: clients may know items that it does not, at positions that nobody gets again. */
  restored(encoder: Encoder | undefined): void {
    if (encoder === undefined) return;
    for (const stream of streamsOf(encoder)) {
      const inside = targetOf(stream as unknown as Ref) as unknown as StreamInternals;
      // The lost host may have sent these, too: everybody who comes back gets them.
      const { broadcastPending, sentBroadcast } = bookOf(stream);
      for (const position of broadcastPending) sentBroadcast.add(position);
      broadcastPending.clear();
      const from = inside.$nextPosition;
      if (from === undefined) continue;
      inside.$nextPosition = from + UNDONE_POSITIONS;
      this.#undone.set(stream[$refId] ?? 0, [from, inside.$nextPosition]);
    }
  }

  /**
   * What a client that comes back to a restored room should have of the streams, whatever it has.
   * @returns a patch for it alone; undefined if the room has no streams or they are shown by views, which then send it
   */
  again(encoder: Encoder | undefined, view: StateView | undefined): Uint8Array | undefined {
    if (encoder === undefined) return undefined;
    const streams = streamsOf(encoder);
    if (streams.length === 0) return undefined;
    if (encoder.root.activeViews.size === 0) return this.#patch(encoder, streams);
    if (view !== undefined && numberOf(view) >= 0) this.#hurry(encoder, streams, view);
    return undefined;
  }

  /** What a view has had is in its full state; what is still to come the lost host may have sent, so it comes at once. */
  #hurry(encoder: Encoder, streams: readonly StreamInternals[], view: StateView): void {
    const limits = streams.map((stream) => bookOf(stream).maxPerTick);
    for (const stream of streams) bookOf(stream).maxPerTick = Number.POSITIVE_INFINITY;
    (encoder as unknown as Streaming)._emitStreamPriority(view);
    streams.forEach((stream, index) => {
      bookOf(stream).maxPerTick = limits[index] ?? 0;
      const refId = stream[$refId] ?? 0;
      const changes = view.changes.get(refId) ?? new Map();
      for (const position of this.#positionsUndone(refId)) changes.set(position, OPERATION.DELETE);
      if (changes.size > 0) view.changes.set(refId, changes);
    });
  }

  /** As the encoder broadcasts it, with books that say that nothing was sent yet. */
  #patch(encoder: Encoder, streams: readonly StreamInternals[]): Uint8Array {
    const kept = streams.map((stream) => ({ stream, book: { ...bookOf(stream) } }));
    try {
      for (let bytes = FIRST_BUFFER_BYTES; ; bytes *= 2) {
        for (const { stream, book } of kept) {
          const own = bookOf(stream);
          own.broadcastPending = new Set(book.sentBroadcast);
          own.sentBroadcast = new Set();
          own.broadcastDeletes = new Set(this.#positionsUndone(stream[$refId] ?? 0));
          own.maxPerTick = Number.POSITIVE_INFINITY;
        }
        const buffer = new Uint8Array(bytes);
        buffer[0] = Protocol.ROOM_STATE_PATCH;
        const at = { offset: 1 };
        (encoder as unknown as Streaming)._emitStreamBroadcast(buffer, at);
        if (at.offset <= buffer.byteLength) return buffer.subarray(0, at.offset);
      }
    } finally {
      for (const { stream, book } of kept) Object.assign(bookOf(stream), book);
    }
  }

  #positionsUndone(refId: number): number[] {
    const [from, to] = this.#undone.get(refId) ?? [0, 0];
    return Array.from({ length: to - from }, (_, i) => from + i);
  }
}

function refill(set: Set<number>, positions: readonly number[]): void {
  set.clear();
  for (const position of positions) set.add(position);
}
