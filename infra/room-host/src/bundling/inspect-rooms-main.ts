/** Loads a bundle of rooms as a room host would, and says which types it has or why it does not load. */
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws";
import { checkWeights, declaredWork } from "../colyseus/declared-marks.js";
import type { ColyseusProject } from "./project-exports.js";

globalThis.WebSocket ??= WebSocket as never;
const [, , path = ""] = process.argv;

const send = process.send?.bind(process);
// A project that says to its process manager that it is ready does not mean us.
delete process.send;

type Inspected = { roomTypes: string[]; roomWork: Record<string, object>; notices: string[] };

function say(message: Inspected | { failed: string; stack: string }): void {
  send?.(message, undefined, undefined, () => process.exit(0));
}

try {
  const { rooms, app } = (await import(pathToFileURL(path).href)) as {
    rooms: Record<string, object>;
    app?: ColyseusProject;
  };
  const roomWork: Record<string, object> = {};
  for (const [name, definition] of Object.entries(rooms)) {
    const klass: object = "klass" in definition ? Object(definition.klass) : definition;
    checkWeights(name, klass);
    const work = declaredWork(name, klass);
    if (work !== undefined) roomWork[name] = work;
  }
  say({ roomTypes: Object.keys(rooms), roomWork, notices: app?.notices ?? [] });
} catch (cause) {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  say({ failed: error.message, stack: error.stack ?? "" });
}
