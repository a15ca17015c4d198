/**
 * Reads nodes out of a running state.
 *
 * Colyseus' own codecs round numbers to float32 and build instances that cannot be encoded again, so a room
 * moves as records of its nodes instead: same refIds, same map indexes, exact numbers. A client's decoder
 * then goes on with the destination's patches as if nothing had happened.
 */
import { CentroidError } from "@centroid/protocol";
import {
  ArraySchema,
  CollectionSchema,
  type Encoder,
  MapSchema,
  type Root,
  SetSchema,
  StreamSchema,
  type TypeContext,
} from "@colyseus/schema";
import {
  type ArrayInternals,
  COLLECTION,
  FieldsOfClasses,
  isRef,
  type MapInternals,
  type Ref,
  refIdOf,
  type SetInternals,
  type StreamItems,
  typeCodeOf,
} from "./internals.js";
import type { FieldValue, NodeRecord } from "./records.js";

export class StateReader {
  readonly #root: Root;
  readonly #state: Ref;
  readonly #context: TypeContext;
  readonly #fields = new FieldsOfClasses();

  constructor(encoder: Encoder) {
    this.#root = encoder.root;
    this.#state = encoder.state as unknown as Ref;
    this.#context = encoder.context;
  }

  refIds(): number[] {
    return Object.keys(this.#root.changeTrees).map(Number);
  }

  /** Where the state begins. */
  get rootRefId(): number {
    return refIdOf(this.#state);
  }

  has(refId: number): boolean {
    return this.#root.changeTrees[refId] !== undefined;
  }

  /** refIds that changed since the last patch was encoded. Must be called before the encoder discards them. */
  collectDirty(into: Set<number>): void {
    for (const list of [this.#root.changes, this.#root.unreliableChanges]) {
      for (let node = list.next; node !== undefined; node = node.next) {
        into.add(refIdOf(node.changeTree.ref as unknown as Ref));
      }
    }
  }

  get nextRefId(): number {
    return (this.#root as unknown as { nextUniqueId: number }).nextUniqueId;
  }

  /** @throws CentroidError ROOM_NOT_MOVABLE for state types that cannot be moved. */
  read(refId: number): NodeRecord | undefined {
    const tree = this.#root.changeTrees[refId];
    if (tree === undefined) return undefined;
    const ref = (tree as unknown as { refTarget: Ref }).refTarget;
    if (ref instanceof MapSchema) {
      const map = ref as unknown as MapInternals;
      const slots: FieldValue[] = [];
      const keys: string[] = [];
      const indexes: number[] = [];
      for (const [key, value] of map.$items) {
        keys.push(key);
        indexes.push(map.journal.indexByKey[key] ?? -1);
        slots.push(this.#slot(value));
      }
      return [refId, COLLECTION.map, slots, keys, indexes, map.journal.nextIndex];
    }
    if (ref instanceof ArraySchema) {
      const { items } = ref as unknown as ArrayInternals;
      return [refId, COLLECTION.array, items.map((value) => this.#slot(value))];
    }
    if (ref instanceof SetSchema || ref instanceof CollectionSchema) {
      const set = ref as unknown as SetInternals;
      const type = ref instanceof SetSchema ? COLLECTION.set : COLLECTION.collection;
      return [
        refId,
        type,
        [...set.$items.values()].map((v) => this.#slot(v)),
        [],
        [...set.$items.keys()],
        set.$refId,
      ];
    }
    if (ref instanceof StreamSchema) {
      const stream = ref as unknown as StreamItems;
      return [
        refId,
        COLLECTION.stream,
        [...stream.$items.values()].map((v) => this.#slot(v)),
        [],
        [...stream.$items.keys()],
        stream.$nextPosition,
      ];
    }
    const fields = this.#fields.of(ref.constructor);
    const values = ref as unknown as Record<string, unknown>;
    return [
      refId,
      this.#typeOf(ref),
      fields.map((field) => (field === undefined ? undefined : this.#slot(values[field.name]))),
    ];
  }

  #typeOf(ref: Ref): number {
    const type = typeCodeOf(ref, this.#context);
    if (type !== undefined) return type;
    throw new CentroidError(
      "ROOM_NOT_MOVABLE",
      `state type ${(ref as object).constructor.name} cannot be moved: it is in no field of the state; declare it where it is used, or make it with .extend()`,
    );
  }

  #slot(value: unknown): FieldValue {
    return isRef(value) ? [refIdOf(value), this.#typeOf(value)] : (value as FieldValue);
  }
}
