/**
 * The private parts of @colyseus/schema (5.0.34). Only this folder touches them; the contract test names that version.
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
  MapSchema,
  Schema,
  SetSchema,
  StreamSchema,
  type TypeContext,
} from "@colyseus/schema";

/** Codes for collections; Schema classes use their (non-negative) type id. */
export const COLLECTION = { map: -1, array: -2, set: -3, collection: -4, stream: -5 } as const;

export interface Ref {
  [$refId]?: number;
  [$changes]: ChangeTree;
  [$values]?: unknown[];
  [$childType]?: unknown;
}
export interface MapInternals extends Ref {
  $items: Map<string, unknown>;
  journal: {
    keyByIndex: Map<number, string>;
    indexByKey: Record<string, number>;
    nextIndex: number;
    snapshots?: Map<number, unknown>;
  };
}
export interface ArrayInternals extends Ref {
  items: unknown[];
  tmpItems: unknown[];
  deletedIndexes: boolean[];
}
export interface SetInternals extends Ref {
  $items: Map<number, unknown>;
  $refId: number;
}
/** A t.stream(), or another collection with .stream(). */
export interface StreamInternals extends Ref {
  /** Of t.stream() alone. */
  $nextPosition?: number;
  _stream?: StreamBook;
}
/** What was sent of a stream, and what is still to be: to everybody, or by number of view. */
export interface StreamBook {
  broadcastPending: Set<number>;
  sentBroadcast: Set<number>;
  broadcastDeletes: Set<number>;
  pendingByView: Map<number, Set<number>>;
  sentByView: Map<number, Set<number>>;
  priorityByView?: Map<number, unknown>;
  maxPerTick: number;
}
/** Of a t.stream(). */
export interface StreamItems extends Ref {
  $items: Map<number, unknown>;
  $nextPosition: number;
  _itemIndex: Map<unknown, number>;
}
type SchemaClass = new () => Schema;
export interface FieldMetadata {
  name: string;
  type: unknown;
  stream?: boolean;
  fullStateOnly?: boolean;
  patchOnly?: boolean;
  unreliable?: boolean;
  deprecated?: boolean;
  /** Of a view. */
  tag?: number;
}

export const isRef = (value: unknown): value is Ref =>
  typeof value === "object" && value !== null && (value as Partial<Ref>)[$changes] !== undefined;

export function refIdOf(ref: Ref): number {
  const refId = ref[$refId];
  if (refId === undefined)
    throw new CentroidError("INTERNAL", "state node without refId; was it attached to the room's state?");
  return refId;
}

export function setRefId(ref: Ref, refId: number): void {
  if (Object.hasOwn(ref, $refId)) ref[$refId] = refId;
  else Object.defineProperty(ref, $refId, { value: refId, enumerable: false, writable: true });
}

/** The fields of a Schema class by index, looked up once per class. */
export class FieldsOfClasses {
  readonly #known = new Map<unknown, readonly (FieldMetadata | undefined)[]>();

  of(klass: unknown): readonly (FieldMetadata | undefined)[] {
    let fields = this.#known.get(klass);
    if (fields === undefined) {
      fields = fieldsOf(klass);
      this.#known.set(klass, fields);
    }
    return fields;
  }
}

function fieldsOf(klass: unknown): (FieldMetadata | undefined)[] {
  const metadata = (klass as { [Symbol.metadata]?: Record<string | number, unknown> })[Symbol.metadata];
  const last = metadata?.[$numFields as unknown as string];
  if (metadata === undefined || typeof last !== "number") return [];
  const fields: (FieldMetadata | undefined)[] = [];
  for (let index = 0; index <= last; index++) fields.push(metadata[index] as FieldMetadata | undefined);
  return fields;
}

/** The node itself: what is handed out may be a proxy of it. */
export function targetOf(ref: Ref): Ref {
  return (ref[$changes] as unknown as { refTarget: Ref }).refTarget;
}

/** Of a node; undefined if its class is not one of the room's. */
export function typeCodeOf(ref: Ref, context: TypeContext): number | undefined {
  if (ref instanceof MapSchema) return COLLECTION.map;
  if (ref instanceof ArraySchema) return COLLECTION.array;
  if (ref instanceof SetSchema) return COLLECTION.set;
  if (ref instanceof CollectionSchema) return COLLECTION.collection;
  if (ref instanceof StreamSchema) return COLLECTION.stream;
  const type = context.getTypeId((ref as object).constructor as never) as unknown;
  return typeof type === "number" ? type : undefined;
}

/** An empty node of that type. @throws CentroidError ROOM_NOT_MOVABLE */
export function build(type: number, context: TypeContext): Ref {
  switch (type) {
    case COLLECTION.map:
      return new MapSchema() as unknown as Ref;
    case COLLECTION.array:
      return new ArraySchema() as unknown as Ref;
    case COLLECTION.set:
      return new SetSchema() as unknown as Ref;
    case COLLECTION.collection:
      return new CollectionSchema() as unknown as Ref;
    case COLLECTION.stream:
      return new StreamSchema() as unknown as Ref;
    default: {
      const klass = context.get(type) as unknown as SchemaClass | undefined;
      if (klass === undefined) {
        throw new CentroidError(
          "ROOM_NOT_MOVABLE",
          `state type ${type} is not known here; both hosts must run the same rooms`,
        );
      }
      const made = construct(klass) as unknown as Ref;
      // Default children would be given refIds of their own when the parent is attached.
      made[$values] = [];
      return made;
    }
  }
}

/** A constructor that cannot do without its arguments is left out: what it has set is carried. */
export function construct(klass: SchemaClass): Schema {
  try {
    return new klass();
  } catch {
    return Reflect.construct(Schema, [], klass) as Schema;
  }
}

/** Items by the number that they have on the wire. */
const isNumbered = (ref: Ref): ref is Ref & { $items: Map<number, unknown> } =>
  ref instanceof SetSchema || ref instanceof CollectionSchema || ref instanceof StreamSchema;

/** Child nodes with the wire index they have in `ref`. */
export function childrenOf(ref: Ref): Map<Ref, number> {
  const children = new Map<Ref, number>();
  const add = (value: unknown, index: number): void => {
    if (isRef(value)) children.set(value, index);
  };
  if (ref instanceof MapSchema) {
    const map = ref as unknown as MapInternals;
    for (const [key, value] of map.$items) add(value, map.journal.indexByKey[key] ?? 0);
  } else if (ref instanceof ArraySchema) {
    (ref as unknown as ArrayInternals).items.forEach(add);
  } else if (isNumbered(ref)) {
    for (const [index, value] of ref.$items) add(value, index);
  } else {
    (ref[$values] ?? []).forEach(add);
  }
  return children;
}
