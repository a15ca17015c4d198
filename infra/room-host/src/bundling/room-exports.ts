/** Which room types files have, by what they export. Part of every bundle of rooms, so that it runs where they are loaded. */
import { RegisteredHandler, Room } from "@colyseus/core";

type RoomDefinition = (new () => Room) | RegisteredHandler;

/** A source file and what it exports. */
export interface RoomFile {
  /** Its name without the extension. */
  name: string;
  file: string;
  exports: Record<string, unknown>;
}

/**
 * A default export is the type that its file is named after, every other exported room the type of its own name. What
 * is no room, and classes that other rooms extend, are helpers.
 * @throws Error with the files, if two give the same type or none has a room
 */
export function roomTypesOf(files: readonly RoomFile[]): Record<string, RoomDefinition> {
  const found = new Map<string, { file: string; room: RoomDefinition }>();
  const add = (name: string, file: string, room: RoomDefinition): void => {
    const known = found.get(name);
    if (known !== undefined && known.room !== room)
      throw new Error(`${known.file} and ${file} both have a room "${name}"; rename one of them`);
    found.set(name, { file, room });
  };
  for (const { name, file, exports } of files) if (isRoom(exports.default)) add(name, file, exports.default);
  const asDefault = new Set([...found.values()].map(({ room }) => classOf(room)));
  const all = files.flatMap(({ exports }) => Object.values(exports).filter(isRoom).map(classOf));
  for (const { file, exports } of files)
    for (const [name, room] of Object.entries(exports)) {
      if (name === "default" || !isRoom(room)) continue;
      const isBase = all.some((other) => other.prototype instanceof classOf(room));
      if (!isBase && !asDefault.has(classOf(room))) add(name, file, room);
    }
  if (found.size === 0)
    throw new Error(
      `no class that extends Room of @colyseus/core is exported by ${files.map(({ file }) => file).join(", ")}`,
    );
  return Object.fromEntries([...found].map(([name, { room }]) => [name, room]));
}

function isRoom(value: unknown): value is RoomDefinition {
  return (
    value instanceof RegisteredHandler || (typeof value === "function" && value.prototype instanceof Room)
  );
}

const classOf = (room: RoomDefinition): (new () => Room) =>
  room instanceof RegisteredHandler ? (room.klass as new () => Room) : room;
