/**
 * What a room and the nodes of its state have beside what Colyseus synchronises: fields marked noSync(), plain fields of
 * state classes and of the room itself. Data is carried; what is made by code (functions, instances of classes, handles)
 * is made anew by constructors and onCreate() wherever the room is, and named so that its loss is not silent.
 */
import { CentroidError } from "@centroid/protocol";
import { Room } from "@colyseus/core";
import type { Encoder } from "@colyseus/schema";
import type { CarriedValue, IncomingValues, OutgoingValues } from "../values/carried-values.js";
import { FieldsOfClasses, type Ref, targetOf } from "./schema/internals.js";

export type CarriedFields = [name: string, value: CarriedValue][];
export interface PlainFields {
  nodes: [refId: number, fields: CarriedFields][];
  room: CarriedFields;
  plugins: [key: string, fields: CarriedFields][];
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
  ...["_simulationInterval", "_autoDisposeTimeout", "_inputController", "_listing", "_autoPlugins"],
]);
/** What Colyseus gives a plugin. */
const OF_PLUGIN: ReadonlySet<string> = new Set(["room", "pluginName", "messages", "order"]);

/** Takes a field into the values; nothing of one that cannot be carried, which is told instead. */
export function readFields(
  owner: object,
  name: string,
  keys: readonly string[],
  values: OutgoingValues,
  onLeftOut: (field: string, why: string) => void,
): CarriedFields {
  return keys.flatMap((key): CarriedFields => {
    const value = (owner as Record<string, unknown>)[key];
    if (typeof value === "function") return [];
    try {
      return [[key, values.add(value, `${name}.${key}`)]];
    } catch (cause) {
      onLeftOut(`${name}.${key}`, CentroidError.from(cause).message);
      return [];
    }
  });
}

export function writeFields(owner: object, fields: CarriedFields, values: IncomingValues): void {
  for (const [name, value] of fields) (owner as Record<string, unknown>)[name] = values.get(value);
}

/** @param onLeftOut hears of a field that is not carried, by its name */
export function readPlainFields(
  room: Room,
  encoder: Encoder | undefined,
  values: OutgoingValues,
  onLeftOut: (field: string, why: string) => void,
): PlainFields {
  const read = (owner: object, name: string, keys: readonly string[]): CarriedFields =>
    readFields(owner, name, keys, values, onLeftOut);
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
  const saysItself = typeof (room as { onFreeze?: unknown }).onFreeze === "function";
  const own = saysItself ? [] : Object.keys(room).filter((key) => !OF_COLYSEUS.has(key));
  // One that is no Schema is a field like any other.
  if (encoder === undefined && room.state !== undefined) own.push("state");
  const plugins = [...pluginsOf(room)].map(([key, plugin]): PlainFields["plugins"][number] => {
    const fields = Object.keys(plugin).filter((field) => !OF_PLUGIN.has(field));
    return [key, read(plugin, `plugins.${key}`, fields)];
  });
  return { nodes, room: read(room, room.constructor.name, own), plugins };
}

/** The state is as it was read: fields that point into it find their nodes. */
export function writePlainFields(
  room: Room,
  encoder: Encoder | undefined,
  values: IncomingValues,
  { nodes, room: own, plugins }: PlainFields,
): void {
  for (const [refId, fields] of nodes) {
    const tree = encoder?.root.changeTrees[refId];
    if (tree !== undefined) writeFields(targetOf(tree.ref as unknown as Ref), fields, values);
  }
  writeFields(room, own, values);
  const here = pluginsOf(room);
  for (const [key, fields] of plugins) {
    const plugin = here.get(key);
    if (plugin !== undefined) writeFields(plugin, fields, values);
  }
}

/** Those that the room names, and those that they depend on. */
function pluginsOf(room: Room): Map<string, object> {
  const { plugins, _autoPlugins } = room as unknown as Record<string, Record<string, object> | undefined>;
  return new Map(Object.entries({ ...plugins, ..._autoPlugins }));
}

/** A field as classes declare it, and as it is printed when they are bundled. */
const PRIVATE_FIELD = /^\s*(#[\w$]+)\s*(?:=(?!=)|;)/gm;

/** Fields that nobody outside of their class can read, of the room, of the classes it extends and of its state. */
export function privateFields(room: Room, encoder: Encoder | undefined): string[] {
  const classes: unknown[] = [...(encoder?.context.schemas.keys() ?? [])];
  for (
    let klass = Object.getPrototypeOf(room.constructor) as unknown;
    typeof klass === "function" && klass !== Room;
    klass = Object.getPrototypeOf(klass)
  )
    classes.push(klass);
  return classes.flatMap((klass) => {
    const { name } = klass as { name: string };
    return [...String(klass).matchAll(PRIVATE_FIELD)].map(([, field]) => `${name}.${field}`);
  });
}
