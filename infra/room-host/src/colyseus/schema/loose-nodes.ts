/**
 * Nodes that are in no state: a deck of cards, a pool of bullets, an item that nobody holds. They are made again at the next
 * host through their own setters, so that the room can put them into its state there as it would have here.
 */
import {
  ArraySchema,
  CollectionSchema,
  MapSchema,
  type Schema,
  SetSchema,
  type TypeContext,
} from "@colyseus/schema";
import type { Parts } from "../../values/carried-values.js";
import {
  build,
  COLLECTION,
  construct,
  FieldsOfClasses,
  type Ref,
  targetOf,
  typeCodeOf,
} from "./internals.js";

/** @returns undefined of a class that the room's state does not have, and of a stream */
export function partsOfLoose(given: Ref, context: TypeContext): Parts | undefined {
  const kind = typeCodeOf(given, context);
  if (kind === undefined || kind === COLLECTION.stream) return undefined;
  if (given instanceof MapSchema) return { kind, keys: [...given.keys()], values: [...given.values()] };
  if (given instanceof ArraySchema) return { kind, keys: [], values: [...given] };
  if (given instanceof SetSchema || given instanceof CollectionSchema)
    return { kind, keys: [], values: [...given.values()] };
  const fields = new FieldsOfClasses()
    .of((given as object).constructor)
    .flatMap((field) => (field === undefined || field.deprecated === true ? [] : field.name));
  const keys = [...new Set([...fields, ...Object.keys(targetOf(given))])];
  return { kind, keys, values: keys.map((key) => (given as unknown as Record<string, unknown>)[key]) };
}

export function makeLoose(kind: number, context: TypeContext): object {
  const klass = kind < 0 ? undefined : context.get(kind);
  return klass === undefined ? build(kind, context) : construct(klass as unknown as new () => Schema);
}

export function fillLoose(object: object, { keys, values }: Parts): void {
  if (object instanceof ArraySchema) object.push(...values);
  else if (object instanceof SetSchema || object instanceof CollectionSchema)
    for (const value of values) object.add(value);
  else
    keys.forEach((key, i) => {
      const fields = object as Record<string, unknown>;
      if (object instanceof MapSchema) object.set(key, values[i]);
      else if (fields[key] !== values[i]) fields[key] = values[i];
    });
}
