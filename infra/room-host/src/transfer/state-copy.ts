/**
 * What another host has of a running room's state, and what it still lacks. Nodes that are read here count as sent;
 * what is written to them afterwards makes them due again. Keeping up costs what changes, not what there is.
 */
import { CentroidError } from "@centroid/protocol";
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateReader } from "../colyseus/schema/reader.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { StateWatch } from "../colyseus/schema/watch.js";
import { StateHash } from "./state-hash.js";

export class StateCopy implements Disposable {
  readonly #room: MovableRoom;
  /** Of the state as it was when the copy was begun. */
  readonly #encoder: MovableRoom["move"]["snapshot"]["encoder"];
  readonly #reader: StateReader | undefined;
  readonly #watch: StateWatch | undefined;
  readonly #hash = new StateHash();
  readonly #due = new Set<number>();

  constructor(room: MovableRoom) {
    const { encoder } = room.move.snapshot;
    this.#room = room;
    this.#encoder = encoder;
    if (encoder === undefined) return;
    this.#reader = new StateReader(encoder as never);
    this.#watch = new StateWatch(encoder as never);
    // All that there is now is due.
    this.#watch.collect(this.#due);
  }

  /** False for a room without state. */
  get hasState(): boolean {
    return this.#reader !== undefined;
  }

  /** @throws CentroidError ROOM_BUSY if the author has given the room another state since */
  assertCurrent(): void {
    if (this.#room.move.snapshot.encoder === this.#encoder) return;
    throw new CentroidError("ROOM_BUSY", "the room has got another state; it will be moved later");
  }

  get nextRefId(): number {
    return this.#reader?.nextRefId ?? 0;
  }

  /** Of the whole copy as it is at the other host. */
  get hash(): string {
    return this.#hash.toString();
  }

  /** Nodes known to be due. */
  get dueCount(): number {
    return this.#due.size;
  }

  /** Before each patch: the encoder forgets what was written when it has encoded it. */
  collect(): void {
    this.#reader?.collectDirty(this.#due);
  }

  /** The nodes known to be due, which are then taken for sent. */
  takeDue(): number[] {
    const refIds = [...this.#due];
    this.#due.clear();
    return refIds;
  }

  /** @returns undefined for a node that is not there any more */
  read(refId: number): NodeRecord | undefined {
    const node = this.#reader?.read(refId);
    if (node !== undefined) this.#hash.set(node);
    return node;
  }

  /** Those of the nodes that are there. */
  readAll(refIds: readonly number[]): NodeRecord[] {
    return refIds.map((refId) => this.read(refId)).filter((node) => node !== undefined);
  }

  /** All that is missing, to be called in one step: with it the copy is whole. */
  rest(): { nodes: NodeRecord[]; removed: number[] } {
    if (this.#watch === undefined) return { nodes: [], removed: [] };
    this.#watch.collect(this.#due);
    const nodes = this.readAll(this.takeDue());
    const removed = this.#watch.takeRemoved().filter((refId) => this.#hash.has(refId));
    for (const refId of removed) this.#hash.delete(refId);
    return { nodes, removed };
  }

  /** The copy is not kept up any more. */
  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
  }
}
