/**
 * What a room and the nodes of its state have beside what Colyseus synchronises: fields marked noSync(), plain fields of
 * state classes and of the room itself. Data is carried; what is made by code (functions, instances of classes, handles)
 * is made anew by constructors and onCreate() wherever the room is, and named so that its loss is not silent.
 */
import { CentroidError } from "@centroid/protocol";
import { Room } from "@colyseus/core";
import { $refId, type Encoder } from "@colyseus/schema";
import { type CarriedValue, carry, type Links, uncarry } from "../values/carried-values.js";
import { FieldsOfClasses, isRef, type Ref, targetOf } from "./schema/internals.js";

type CarriedFields = [name: string, value: CarriedValue][];
export interface PlainFields {
  nodes: [refId: number, fields: CarriedFields][];
  room: CarriedFields;
}

/** Set by Colyseus when it makes a room, or carried in other ways. */
const OF_COLYSEUS: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(new (class extends Room {})()),
  ...[
    "state",
    "maxClients",
    "autoDispose",
    "patchRate",
    "unreliablePatchRate",
    "presence",
    "roomId",
    "roomName",
  ],
  ...["move", "messages", "plugins", "input", "inputs", "clients", "clock", "metadata"],
]);

/** @param onLeftOut hears of a field that is not carried, by its name */
export function readPlainFields(
  room: Room,
  encoder: Encoder | undefined,
  others: Links,
  onLeftOut: (field: string, why: string) => void,
): PlainFields {
  const links = linksOf(encoder, others);
  const read = (owner: object, name: string, keys: readonly string[]): CarriedFields =>
    keys.flatMap((key): CarriedFields => {
      const value = (owner as Record<string, unknown>)[key];
      if (typeof value === "function") return [];
      try {
        return [[key, carry(value, `${name}.${key}`, links)]];
      } catch (cause) {
        onLeftOut(`${name}.${key}`, CentroidError.from(cause).message);
        return [];
      }
    });
  const nodes: PlainFields["nodes"] = [];
  const classes = new FieldsOfClasses();
  for (const key of Object.keys(encoder?.root.changeTrees ?? {})) {
    const tree = encoder?.root.changeTrees[Number(key)];
    if (tree === undefined) continue;
    const ref = targetOf(tree.ref as unknown as Ref) as object;
    const known = classes.of(ref.constructor);
    // Collections have no fields of their own.
    if (known.length === 0) continue;
    const keys = Object.keys(ref).filter((own) => !known.some((field) => field?.name === own));
    if (keys.length > 0) nodes.push([Number(key), read(ref, ref.constructor.name, keys)]);
  }
  // Who has onFreeze() says itself what of the room is carried.
  const own =
    typeof (room as { onFreeze?: unknown }).onFreeze === "function"
      ? []
      : Object.keys(room).filter((key) => !OF_COLYSEUS.has(key) && !key.startsWith("_"));
  return { nodes, room: read(room, room.constructor.name, own) };
}

/** The state is as it was read: fields that point into it find their nodes. */
export function writePlainFields(
  room: Room,
  encoder: Encoder | undefined,
  others: Links,
  { nodes, room: own }: PlainFields,
): void {
  const links = linksOf(encoder, others);
  const write = (owner: object, fields: CarriedFields): void => {
    for (const [name, value] of fields) (owner as Record<string, unknown>)[name] = uncarry(value, links);
  };
  for (const [refId, fields] of nodes) {
    const tree = encoder?.root.changeTrees[refId];
    if (tree !== undefined) write(targetOf(tree.ref as unknown as Ref), fields);
  }
  write(room, own);
}

/** Nodes of the state by number; what else the room has at both hosts by name. */
function linksOf(encoder: Encoder | undefined, others: Links): Links {
  const trees = encoder?.root.changeTrees;
  return {
    linkOf(value) {
      if (!isRef(value)) return others.linkOf(value);
      const refId = targetOf(value)[$refId];
      // One that is not in the state is an instance like any other.
      return refId !== undefined && trees?.[refId] !== undefined ? refId : undefined;
    },
    objectOf: (link) => (typeof link === "number" ? trees?.[link]?.ref : others.objectOf(link)),
  };
}
