/**
 * A room host in a sandbox of its own, a machine or a container: the same as in a process, its agent at the other
 * end of a line of text instead of Node's IPC. One JSON message per line.
 */
import { createServer } from "node:net";
import { unbatched } from "@centroid/protocol/node";
import type { WatchOptions } from "./activity/watch-options.js";
import { PULSE_INTERVAL_MS, PULSE_PORT } from "./pulse-port.js";
import { SANDBOX_FILES } from "./workers/sandbox-files.js";

/** What `main.ts` reads from its environment. */
export interface SandboxedRoomHostConfig {
  readonly processId: string;
  readonly checkpointIntervalMs: number;
  readonly maxFramesPerSecond: number;
  readonly maxBytesPerSecond: number;
  readonly watch: Partial<WatchOptions>;
}

export interface SandboxedLine {
  /** Told once, before any message. */
  ready(port: string): void;
  /** @returns false if the line takes no more for now */
  message(text: string, type: string | undefined): boolean;
}

function portOf(message: { type?: string; address?: string }): string | undefined {
  return message.type === "ready" ? (message.address?.split(":")[1] ?? "") : undefined;
}

/** Starts the room host; {@link receiveLine} is to be given what its agent says. */
export async function runSandboxed(line: SandboxedLine, config: SandboxedRoomHostConfig): Promise<void> {
  const say = (message: unknown): boolean => {
    const given = message as { type?: string; address?: string; bytes?: unknown };
    const port = portOf(given);
    if (port !== undefined) {
      line.ready(port);
      return true;
    }
    const plain =
      given.bytes instanceof Uint8Array
        ? { ...given, bytes: Buffer.from(given.bytes).toString("base64") }
        : given;
    return line.message(JSON.stringify(plain), given.type);
  };
  process.send = (raw: unknown) =>
    unbatched(raw)
      .map(say)
      .every((taken) => taken);
  // The room host ends when its parent has gone; this one's parent is the sandbox.
  process.connected = true;
  process.env.CENTROID_ROOM_HOST = JSON.stringify({
    ...config,
    // It has one room, and ends with it.
    watch: { ...config.watch, endsIfHung: true },
    bindHost: "0.0.0.0",
    // Its agent knows the address.
    advertiseHost: "guest",
    roomsBundle: `${SANDBOX_FILES.program}/${SANDBOX_FILES.rooms}`,
    workerFiles: `${SANDBOX_FILES.program}/${SANDBOX_FILES.workers}`,
  });
  await import("./main.js");
  beat();
}

/** A line that the sandbox's move has cut in two is nothing; who needs an answer asks again. */
export function receiveLine(text: string): void {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return;
  }
  process.emit("message", message, undefined);
}

/** For as long as somebody listens: a beat by which the silence of a move is measured. */
function beat(): void {
  createServer((socket) => {
    socket.setNoDelay(true);
    const timer = setInterval(() => socket.write("."), PULSE_INTERVAL_MS);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => clearInterval(timer));
  }).listen(PULSE_PORT, "0.0.0.0");
}
