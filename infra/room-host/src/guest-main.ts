/** Entry point inside a room's VM: its agent's line is the machine's serial line, file descriptor 3. */
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { generateId } from "@colyseus/core";
import { receiveLine, runSandboxed } from "./sandboxed.js";
import { DEFAULT_MAX_BYTES_PER_SECOND, DEFAULT_MAX_FRAMES_PER_SECOND } from "./sessions/player-limits.js";

/** More than Colyseus' pool of random ids holds: a restored clone must not hand out its template's. */
const POOLED_IDS = 256;

const line = new Socket({
  fd: Number(process.env.CENTROID_CONTROL_FD ?? 3),
  readable: true,
  writable: true,
});

createInterface({ input: line }).on("line", (text) => {
  if (text.startsWith("{")) receiveLine(text);
  else if (text.startsWith("identity ")) becomeAnother();
});

/** The clone has its own entropy from here on, and a right clock; this program began by a wrong one. */
function becomeAnother(): void {
  for (let id = 0; id < POOLED_IDS; id++) generateId();
  Object.defineProperty(performance, "timeOrigin", { value: Date.now() - performance.now() });
}

await runSandboxed(
  {
    ready: (port) => line.write(`ready ${port}\n`),
    message: (text) => line.write(`${text}\n`),
  },
  {
    processId: "vm",
    checkpointIntervalMs: 2_000,
    maxFramesPerSecond: DEFAULT_MAX_FRAMES_PER_SECOND,
    maxBytesPerSecond: DEFAULT_MAX_BYTES_PER_SECOND,
  },
);
