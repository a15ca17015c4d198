/**
 * Entry point inside a room's VM: the same room host as in a process, its agent at the other end of the
 * machine's serial line (file descriptor 3) instead of Node's IPC. One JSON message per line.
 */
import { createServer, Socket } from "node:net";
import { createInterface } from "node:readline";
import { generateId } from "@colyseus/core";
import { PULSE_INTERVAL_MS, PULSE_PORT } from "./pulse-port.js";
import { DEFAULT_MAX_BYTES_PER_SECOND, DEFAULT_MAX_FRAMES_PER_SECOND } from "./sessions/player-limits.js";

/** More than Colyseus' pool of random ids holds: a restored clone must not hand out its template's. */
const POOLED_IDS = 256;

const line = new Socket({
  fd: Number(process.env.CENTROID_CONTROL_FD ?? 3),
  readable: true,
  writable: true,
});

function write(message: object): boolean {
  const plain =
    "bytes" in message && message.bytes instanceof Uint8Array
      ? { ...message, bytes: Buffer.from(message.bytes).toString("base64") }
      : message;
  return line.write(`${JSON.stringify(plain)}\n`);
}

process.send = (message: unknown) => {
  const ready = message as { type?: string; address?: string };
  if (ready.type === "ready") return line.write(`ready ${ready.address?.split(":")[1] ?? ""}\n`);
  return write(message as object);
};

// The room host ends when its parent has gone; this one's parent is the machine.
process.connected = true;

createInterface({ input: line }).on("line", (text) => {
  if (text.startsWith("{")) hear(text);
  else if (text.startsWith("identity ")) becomeAnother();
});

/** The clone has its own entropy from here on, and a right clock; this program began by a wrong one. */
function becomeAnother(): void {
  for (let id = 0; id < POOLED_IDS; id++) generateId();
  Object.defineProperty(performance, "timeOrigin", { value: Date.now() - performance.now() });
}

/** A line that the machine's move has cut in two is nothing; who needs an answer asks again. */
function hear(text: string): void {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return;
  }
  process.emit("message", message, undefined);
}

process.env.CENTROID_ROOM_HOST = JSON.stringify({
  bindHost: "0.0.0.0",
  // Its agent knows the address; the guest had none when it started.
  advertiseHost: "guest",
  processId: "vm",
  roomsBundle: "/app/rooms.mjs",
  checkpointIntervalMs: 2_000,
  maxFramesPerSecond: DEFAULT_MAX_FRAMES_PER_SECOND,
  maxBytesPerSecond: DEFAULT_MAX_BYTES_PER_SECOND,
});
await import("./main.js");

// For as long as somebody listens: a beat by which the silence of a move is measured.
createServer((socket) => {
  socket.setNoDelay(true);
  const beat = setInterval(() => socket.write("."), PULSE_INTERVAL_MS);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => clearInterval(beat));
}).listen(PULSE_PORT, "0.0.0.0");
