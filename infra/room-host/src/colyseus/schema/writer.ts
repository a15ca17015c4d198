/** Writes node records into a state that is not running yet, keeping the author's own root instance. */
import { $changes, $childType, $values, type Encoder, type Root, type TypeContext } from "@colyseus/schema";
import {
  type ArrayInternals,
  build,
  COLLECTION,
  childrenOf,
  FieldsOfClasses,
  isRef,
  type MapInternals,
  type Ref,
  type SetInternals,
  type StreamItems,
  setRefId,
  targetOf,
  typeCodeOf,
} from "./internals.js";
import type { FieldValue, NodeLink, NodeRecord } from "./records.js";

export class StateWriter {
  readonly #context: TypeContext;
  readonly #refs = new Map<number, Ref>();
  readonly #state: Ref;
  readonly #fields = new FieldsOfClasses();
  #encoder: Encoder | undefined;

  /** Takes the state that the room's `onCreate` made out of its own encoder. */
  constructor(encoder: Encoder) {
    this.#context = encoder.context;
    this.#state = encoder.state as unknown as Ref;
    encoder.discardChanges();
    encoder.discardUnreliableChanges();
    for (const refId of Object.keys(encoder.root.changeTrees)) {
      const tree = encoder.root.changeTrees[Number(refId)];
      if (tree !== undefined) tree.root = undefined as unknown as Root;
    }
    this.#refs.set(0, this.#state);
    setRefId(this.#state, 0);
  }

  get size(): number {
    return this.#refs.size;
  }

  /** The records' instances become the encoder's tree; later records are applied to it in place. */
  attach(encoder: Encoder): void {
    this.#encoder = encoder;
    encoder.discardChanges();
    encoder.discardUnreliableChanges();
  }

  apply(records: Iterable<NodeRecord>): void {
    const leaving: [parent: Ref, child: Ref][] = [];
    for (const record of records) this.#write(record, leaving);
    const root = this.#encoder?.root;
    for (const [parent, child] of leaving) {
      child[$changes].removeParent(parent as never);
      if (root !== undefined && child[$changes].root === root) root.remove(child[$changes]);
    }
    this.#encoder?.discardChanges();
    this.#encoder?.discardUnreliableChanges();
  }

  /** Nodes that left the source's state. */
  forget(removed: readonly number[]): void {
    for (const refId of removed) this.#refs.delete(refId);
  }

  /** Takes over the source's id counter. */
  finish(nextRefId: number): void {
    if (this.#encoder !== undefined) {
      (this.#encoder.root as unknown as { nextUniqueId: number }).nextUniqueId = nextRefId;
    }
  }

  ref(refId: number): Ref | undefined {
    return this.#refs.get(refId);
  }

  #write(record: NodeRecord, leaving: [Ref, Ref][]): void {
    const [refId, type, slots] = record;
    const ref = this.#instance(refId, type);
    const parent = ref[$changes].ref as unknown as Ref;
    const before = childrenOf(ref);
    const values = slots.map((slot, index) =>
      this.#value(slot, refId === 0 && type >= 0 ? index : undefined),
    );
    switch (type) {
      case COLLECTION.map: {
        const map = ref as MapInternals;
        const keys = record[3] ?? [];
        const indexes = record[4] ?? [];
        map.$items.clear();
        map.journal.keyByIndex.clear();
        map.journal.indexByKey = {};
        map.journal.snapshots?.clear();
        map.journal.nextIndex = record[5] ?? 0;
        keys.forEach((key, position) => {
          const index = indexes[position] ?? position;
          map.$items.set(String(key), values[position]);
          map.journal.keyByIndex.set(index, String(key));
          map.journal.indexByKey[String(key)] = index;
        });
        break;
      }
      case COLLECTION.array: {
        const array = ref as ArrayInternals;
        array.items.splice(0, array.items.length, ...values);
        array.tmpItems = values.slice();
        array.deletedIndexes = [];
        break;
      }
      case COLLECTION.set:
      case COLLECTION.collection: {
        const set = ref as SetInternals;
        set.$items.clear();
        (record[4] ?? []).forEach((index, position) => {
          set.$items.set(index, values[position]);
        });
        set.$refId = record[5] ?? 0;
        break;
      }
      case COLLECTION.stream: {
        const stream = ref as StreamItems;
        stream.$items.clear();
        stream._itemIndex.clear();
        (record[4] ?? []).forEach((index, position) => {
          stream.$items.set(index, values[position]);
          stream._itemIndex.set(values[position], index);
        });
        stream.$nextPosition = record[5] ?? 0;
        break;
      }
      default:
        ref[$values] = values;
        this.#typeCollections(ref);
    }
    const after = childrenOf(ref);
    for (const [child, index] of after) {
      if (before.has(child)) child[$changes].setParentIndex(parent as never, index);
      else child[$changes].setParent(parent as never, ref[$changes].root, index);
    }
    for (const child of before.keys()) if (!after.has(child)) leaving.push([parent, child]);
  }

  /** Collections learn their element type from the field that holds them, and need it before they are attached. */
  #typeCollections(ref: Ref): void {
    this.#fields.of((ref as object).constructor).forEach((field, index) => {
      const child = ref[$values]?.[index];
      if (field === undefined || !isRef(child) || typeof field.type !== "object" || field.type === null)
        return;
      targetOf(child)[$childType] ??= Object.values(field.type)[0];
    });
  }

  /** `rootField`: index of the root's field this slot fills, so that the author's own instance is kept there. */
  #value(slot: FieldValue, rootField: number | undefined): unknown {
    if (!Array.isArray(slot)) return slot;
    const [refId, type] = slot as NodeLink;
    const known = this.#refs.get(refId);
    if (known !== undefined) return known[$changes].ref;
    if (rootField !== undefined && this.#encoder === undefined) {
      const own = this.#state[$values]?.[rootField];
      if (isRef(own) && typeCodeOf(own, this.#context) === type) {
        const target = targetOf(own);
        setRefId(target, refId);
        this.#refs.set(refId, target);
        return own;
      }
    }
    return this.#instance(refId, type)[$changes].ref;
  }

  #instance(refId: number, type: number): Ref {
    const known = this.#refs.get(refId);
    if (known !== undefined) return known;
    const target = targetOf(build(type, this.#context));
    setRefId(target, refId);
    this.#refs.set(refId, target);
    return target;
  }
}
