/**
 * A state as it arrives from another host, and its hash. Nodes are hashed as they are read back here, so the hash tells
 * whether what was built is what was sent.
 */
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateReader } from "../colyseus/schema/reader.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { StateWriter } from "../colyseus/schema/writer.js";
import { StateHash } from "./state-hash.js";

/** What comes last, with the room standing still at its old host. */
export interface Rest {
  nodes: readonly NodeRecord[];
  /** Nodes that left the state since the copy was begun. */
  removed: readonly number[];
  nextRefId: number;
}

export class ReceivedState {
  readonly #room: MovableRoom;
  readonly #writer: StateWriter | undefined;
  readonly #hash = new StateHash();
  /** From when the first pass is through. */
  #reader: StateReader | undefined;
  /**
   * Written, and not hashed yet: nothing is before the first pass is through, nor a node whose parent is still to come.
   * One that only another refers to has left its state meanwhile: it is not sent, and counts on neither side.
   */
  readonly #unhashed = new Set<number>();

  /** @param room whose `onCreate` is through, and which does not run yet */
  constructor(room: MovableRoom) {
    const { encoder } = room.move.snapshot;
    this.#room = room;
    this.#writer = encoder === undefined ? undefined : new StateWriter(encoder as never);
  }

  write(nodes: readonly NodeRecord[]): void {
    this.#writer?.apply(nodes);
    for (const [refId] of nodes) this.#unhashed.add(refId);
    this.#hashWritten();
  }

  /** The first pass is through: each node has come once. */
  build(): void {
    if (this.#writer === undefined) return;
    this.#writer.attach(this.#room.move.snapshot.attachState() as never);
    const { encoder } = this.#room.move.snapshot;
    if (encoder === undefined) return;
    this.#reader = new StateReader(encoder as never);
    this.#hashWritten();
  }

  /** Nodes that left the state since they came. */
  forget(removed: readonly number[]): void {
    this.#writer?.forget(removed);
    for (const refId of removed) {
      this.#unhashed.delete(refId);
      this.#hash.delete(refId);
    }
  }

  /** @returns the hash of the whole */
  finish({ nodes, removed, nextRefId }: Rest): string {
    this.write(nodes);
    this.forget(removed);
    this.#writer?.finish(nextRefId);
    return this.#hash.toString();
  }

  #hashWritten(): void {
    if (this.#reader === undefined) return;
    for (const refId of this.#unhashed) {
      const record = this.#reader.read(refId);
      if (record === undefined) continue;
      this.#hash.set(record);
      this.#unhashed.delete(refId);
    }
  }
}
