/** A room's state as its players have it who see all of it: what their copies are compared with. */
import type { DigestOptions, SkippedField } from "@centroid/protocol";
import { $refId, decode, type Encoder, encode, MapSchema } from "@colyseus/schema";
import { FieldsOfClasses, type MapInternals, type Ref, targetOf } from "./internals.js";

/** More than any number takes on the wire. */
const NUMBER_BYTES = 16;
type Codec = Record<string, (bytes: Uint8Array, ...rest: unknown[]) => unknown>;

/** How a state is to be read, so that it is as players have it. */
export function digestOptions(encoder: Encoder): DigestOptions & { skip: SkippedField[] } {
  const fields = new FieldsOfClasses();
  const skip = [...encoder.context.schemas].flatMap(([klass, type]) =>
    fields.of(klass).flatMap((field, index): SkippedField[] =>
      field !== undefined &&
      // Of these players have what they were sent once, another part each, or nothing.
      (field.stream ||
        field.fullStateOnly ||
        field.patchOnly ||
        field.unreliable ||
        field.deprecated ||
        field.tag !== undefined)
        ? [[type, index]]
        : [],
    ),
  );
  const bytes = new Uint8Array(NUMBER_BYTES);
  const at = { offset: 0 };
  const asSent = (value: unknown, type: unknown): unknown => {
    if ((typeof value !== "number" && typeof value !== "bigint") || typeof type !== "string") return value;
    at.offset = 0;
    (encode as unknown as Codec)[type]?.(bytes, value, at);
    if (at.offset === 0) return value;
    at.offset = 0;
    return (decode as unknown as Codec)[type]?.(bytes, at);
  };
  const typeOf = (klass: object): number | undefined =>
    encoder.context.getTypeId(klass as never) as number | undefined;
  return { skip, typeOf, asSent };
}

/** Wire indexes of maps whose order players cannot know from the wire: a key that was deleted and set again is last here. */
export function unknownOrders(encoder: Encoder): Map<number, number[]> {
  const orders = new Map<number, number[]>();
  for (const tree of Object.values(encoder.root.changeTrees)) {
    const node = targetOf(tree.ref as unknown as Ref);
    if (!(node instanceof MapSchema)) continue;
    const { $items, journal } = node as unknown as MapInternals;
    const indexes = [...$items.keys()].map((key) => journal.indexByKey[key] ?? -1);
    if (indexes.some((index, position) => position > 0 && index < (indexes[position - 1] ?? 0)))
      orders.set(node[$refId] ?? 0, indexes);
  }
  return orders;
}
