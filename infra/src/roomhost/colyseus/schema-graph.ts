/**
 * Reads and writes a Colyseus state as a graph of nodes that keep their reference ids.
 *
 * Colyseus' own codecs round numbers to float32 and build instances that cannot be encoded again, so a room
 * moves as records of its nodes instead: same refIds, same map indexes, exact numbers. A client's decoder
 * then goes on with the destination's patches as if nothing had happened.
 *
 * This file and schema-watch.ts are the only ones that touch the private fields of @colyseus/schema (5.0.34); their
 * contract test names that version.
 */

import { CentroidError } from "@centroid/protocol";
import {
  $changes,
  $childType,
  $numFields,
  $refId,
  $values,
  ArraySchema,
  type ChangeTree,
  CollectionSchema,
  type Encoder,
  MapSchema,
  type Root,
  type Schema,
  SetSchema,
  type StateView,
  type TypeContext,
} from "@colyseus/schema";

/** A reference from one node to another: its refId and what to build if it is not known yet. */
type Link = readonly [refId: number, type: number];
/** Codes for collections; Schema classes use their (non-negative) type id. */
const COLLECTION = { map: -1, array: -2, set: -3, collection: -4 } as const;

export type Slot = Link | string | number | bigint | boolean | null | undefined | Uint8Array;
/** One node: `[refId, type, content]`. Content by type: fields by index, or entries with their index. */
export type NodeRecord =
  | readonly [refId: number, type: number, slots: Slot[]]
  | readonly [
      refId: number,
      type: number,
      slots: Slot[],
      keys: (string | number)[],
      indexes: number[],
      next: number,
    ];

interface Ref {
  [$refId]?: number;
  [$changes]: ChangeTree;
  [$values]?: unknown[];
  [$childType]?: unknown;
}
interface MapInternals extends Ref {
  $items: Map<string, unknown>;
  journal: {
    keyByIndex: Map<number, string>;
    indexByKey: Record<string, number>;
    nextIndex: number;
    snapshots?: Map<number, unknown>;
  };
}
interface ArrayInternals extends Ref {
  items: unknown[];
  tmpItems: unknown[];
  deletedIndexes: boolean[];
}
interface SetInternals extends Ref {
  $items: Map<number, unknown>;
  $refId: number;
}
type SchemaClass = new () => Schema;
interface FieldMetadata {
  name: string;
  type: unknown;
  stream?: boolean;
}

const isRef = (value: unknown): value is Ref =>
  typeof value === "object" && value !== null && (value as Partial<Ref>)[$changes] !== undefined;

function refIdOf(ref: Ref): number {
  const refId = ref[$refId];
  if (refId === undefined)
    throw new CentroidError("INTERNAL", "state node without refId; was it attached to the room's state?");
  return refId;
}

function setRefId(ref: Ref, refId: number): void {
  if (Object.hasOwn(ref, $refId)) ref[$refId] = refId;
  else Object.defineProperty(ref, $refId, { value: refId, enumerable: false, writable: true });
}

function metadataOf(klass: unknown): { fields: (FieldMetadata | undefined)[] } {
  const metadata = (klass as { [Symbol.metadata]?: Record<string | number, unknown> })[Symbol.metadata];
  const last = metadata?.[$numFields as unknown as string];
  if (metadata === undefined || typeof last !== "number") return { fields: [] };
  const fields: (FieldMetadata | undefined)[] = [];
  for (let index = 0; index <= last; index++) fields.push(metadata[index] as FieldMetadata | undefined);
  return { fields };
}

/** Reads nodes out of a running state. */
export class StateReader {
  readonly #root: Root;
  readonly #context: TypeContext;
  readonly #fields = new Map<unknown, (FieldMetadata | undefined)[]>();

  constructor(encoder: Encoder) {
    this.#root = encoder.root;
    this.#context = encoder.context;
  }

  refIds(): number[] {
    return Object.keys(this.#root.changeTrees).map(Number);
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
      const slots: Slot[] = [];
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
    const fields = this.#fieldsOf(ref.constructor);
    const stream = fields.find((field) => field?.stream === true);
    if (stream !== undefined) {
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        `state field "${stream.name}" is a stream; streams cannot be moved yet, use a map`,
      );
    }
    const values = ref as unknown as Record<string, unknown>;
    return [
      refId,
      this.#typeOf(ref),
      fields.map((field) => (field === undefined ? undefined : this.#slot(values[field.name]))),
    ];
  }

  #fieldsOf(klass: unknown): (FieldMetadata | undefined)[] {
    let fields = this.#fields.get(klass);
    if (fields === undefined) {
      fields = metadataOf(klass).fields;
      this.#fields.set(klass, fields);
    }
    return fields;
  }

  #typeOf(ref: object): number {
    if (ref instanceof MapSchema) return COLLECTION.map;
    if (ref instanceof ArraySchema) return COLLECTION.array;
    if (ref instanceof SetSchema) return COLLECTION.set;
    if (ref instanceof CollectionSchema) return COLLECTION.collection;
    const type = this.#context.getTypeId(ref.constructor as never);
    if (typeof type !== "number") {
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        `state type ${ref.constructor.name} cannot be moved; use Schema, map, array or set`,
      );
    }
    return type;
  }

  #slot(value: unknown): Slot {
    return isRef(value) ? [refIdOf(value), this.#typeOf(value)] : (value as Slot);
  }
}

/** Writes node records into a state that is not running yet, keeping the author's own root instance. */
export class StateWriter {
  readonly #context: TypeContext;
  readonly #refs = new Map<number, Ref>();
  readonly #state: Ref;
  readonly #fields = new Map<unknown, (FieldMetadata | undefined)[]>();
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

  /** Forgets nodes that left the source's state, and takes over its id counter. */
  finish(removed: readonly number[], nextRefId: number): void {
    for (const refId of removed) this.#refs.delete(refId);
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
    const klass = (ref as object).constructor;
    let fields = this.#fields.get(klass);
    if (fields === undefined) {
      fields = metadataOf(klass).fields;
      this.#fields.set(klass, fields);
    }
    fields.forEach((field, index) => {
      const child = ref[$values]?.[index];
      if (field === undefined || !isRef(child) || typeof field.type !== "object" || field.type === null)
        return;
      const { refTarget } = child[$changes] as unknown as { refTarget: Ref };
      refTarget[$childType] ??= Object.values(field.type)[0];
    });
  }

  /** `rootField`: index of the root's field this slot fills, so that the author's own instance is kept there. */
  #value(slot: Slot, rootField: number | undefined): unknown {
    if (!Array.isArray(slot)) return slot;
    const [refId, type] = slot as Link;
    const known = this.#refs.get(refId);
    if (known !== undefined) return known[$changes].ref;
    if (rootField !== undefined && this.#encoder === undefined) {
      const own = this.#state[$values]?.[rootField];
      if (isRef(own) && typeCodeOf(own, this.#context) === type) {
        const target = (own[$changes] as unknown as { refTarget: Ref }).refTarget;
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
    const made = build(type, this.#context);
    const target = (made[$changes] as unknown as { refTarget: Ref }).refTarget;
    setRefId(target, refId);
    this.#refs.set(refId, target);
    return target;
  }
}

function typeCodeOf(ref: Ref, context: TypeContext): number | undefined {
  if (ref instanceof MapSchema) return COLLECTION.map;
  if (ref instanceof ArraySchema) return COLLECTION.array;
  if (ref instanceof SetSchema) return COLLECTION.set;
  if (ref instanceof CollectionSchema) return COLLECTION.collection;
  return context.getTypeId((ref as object).constructor as never);
}

function build(type: number, context: TypeContext): Ref {
  switch (type) {
    case COLLECTION.map:
      return new MapSchema() as unknown as Ref;
    case COLLECTION.array:
      return new ArraySchema() as unknown as Ref;
    case COLLECTION.set:
      return new SetSchema() as unknown as Ref;
    case COLLECTION.collection:
      return new CollectionSchema() as unknown as Ref;
    default: {
      const klass = context.get(type) as unknown as SchemaClass | undefined;
      if (klass === undefined) {
        throw new CentroidError(
          "ROOM_NOT_MOVABLE",
          `state type ${type} is not known here; both hosts must run the same rooms`,
        );
      }
      try {
        const made = new klass() as unknown as Ref;
        // Default children would be given refIds of their own when the parent is attached.
        made[$values] = [];
        return made;
      } catch (cause) {
        throw new CentroidError(
          "ROOM_NOT_MOVABLE",
          `state class ${klass.name} cannot be constructed without arguments: ${String(cause)}`,
          { cause },
        );
      }
    }
  }
}

/** Child nodes with the wire index they have in `ref`. */
function childrenOf(ref: Ref): Map<Ref, number> {
  const children = new Map<Ref, number>();
  const add = (value: unknown, index: number): void => {
    if (isRef(value)) children.set(value, index);
  };
  if (ref instanceof MapSchema) {
    const map = ref as unknown as MapInternals;
    for (const [key, value] of map.$items) add(value, map.journal.indexByKey[key] ?? 0);
  } else if (ref instanceof ArraySchema) {
    (ref as unknown as ArrayInternals).items.forEach(add);
  } else if (ref instanceof SetSchema || ref instanceof CollectionSchema) {
    for (const [index, value] of (ref as unknown as SetInternals).$items) add(value, index);
  } else {
    (ref[$values] ?? []).forEach(add);
  }
  return children;
}

/** What one client's view shows, by refId: visible nodes, nodes by custom tag, subscribed nodes. */
export interface ViewRecord {
  iterable: boolean;
  visible: number[];
  subscribed: number[];
  tags: [tag: number, refIds: number[]][];
}

interface ViewInternals {
  iterable: boolean;
  items?: Ref[];
  changes: Map<number, unknown>;
  _bindRoot(root: Root): void;
  _setSubscribed(tree: ChangeTree): void;
  isVisible(tree: ChangeTree): boolean;
  isSubscribed(tree: ChangeTree): boolean;
  markVisible(tree: ChangeTree): void;
  hasTagOnTree(tree: ChangeTree, tag: number): boolean;
  addTag(tree: ChangeTree, tag: number): void;
}

export function readView(view: StateView, encoder: Encoder): ViewRecord {
  const internals = view as unknown as ViewInternals;
  const record: ViewRecord = { iterable: internals.iterable, visible: [], subscribed: [], tags: [] };
  const tags = new Map<number, number[]>();
  for (const key of Object.keys(encoder.root.changeTrees)) {
    const refId = Number(key);
    const tree = encoder.root.changeTrees[refId];
    if (tree === undefined) continue;
    if (internals.isVisible(tree)) record.visible.push(refId);
    if (internals.isSubscribed(tree)) record.subscribed.push(refId);
    for (const tag of tree.tagViews?.keys() ?? []) {
      if (!internals.hasTagOnTree(tree, tag)) continue;
      const refIds = tags.get(tag);
      if (refIds === undefined) tags.set(tag, [refId]);
      else refIds.push(refId);
    }
  }
  record.tags = [...tags];
  return record;
}

export function writeView(view: StateView, record: ViewRecord, encoder: Encoder): void {
  const internals = view as unknown as ViewInternals;
  internals._bindRoot(encoder.root);
  const tree = (refId: number): ChangeTree | undefined => encoder.root.changeTrees[refId];
  for (const refId of record.visible) {
    const visible = tree(refId);
    if (visible === undefined) continue;
    internals.markVisible(visible);
    internals.items?.push(visible.ref as unknown as Ref);
  }
  for (const refId of record.subscribed) {
    const subscribed = tree(refId);
    if (subscribed !== undefined) internals._setSubscribed(subscribed);
  }
  for (const [tag, refIds] of record.tags) {
    for (const refId of refIds) {
      const tagged = tree(refId);
      if (tagged !== undefined) internals.addTag(tagged, tag);
    }
  }
  internals.changes.clear();
}
