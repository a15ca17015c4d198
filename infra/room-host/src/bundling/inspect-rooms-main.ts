/** Loads a bundle of rooms as a room host would, and says which types it has or why it does not load. */
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket as never;
const [, , path = ""] = process.argv;

function say(message: { roomTypes: string[] } | { failed: string; stack: string }): void {
  process.send?.(message, undefined, undefined, () => process.exit(0));
}

try {
  const { rooms } = (await import(pathToFileURL(path).href)) as { rooms: object };
  say({ roomTypes: Object.keys(rooms) });
} catch (cause) {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  say({ failed: error.message, stack: error.stack ?? "" });
}
