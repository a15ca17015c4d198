/** Entry point inside a room's VM: its agent's line is the machine's serial line, file descriptor 3. */
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { generateId } from "@colyseus/core";
import { receiveLine, runSandboxed } from "./sandboxed.js";
import { DEFAULT_MAX_BYTES_PER_SECOND, DEFAULT_MAX_FRAMES_PER_SECOND } from "./sessions/player-limits.js";

/** More than Colyseus' pool of random ids holds: a restored clone must not hand out its template's. */
const POOLED_IDS = 256;

/** An emulated processor translates code for seconds before it runs it, and is slow, not hung. */
const EMULATED_HUNG_AFTER_MS = 8_000;
/** Only KVM has a clock of that name. */
const CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

const controlFd = Number(process.env.CENTROID_CONTROL_FD ?? 3);
const line = new Socket({
  fd: controlFd,
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

function isEmulated(): boolean {
  try {
    return !readFileSync(CLOCKS, "utf8").includes("kvm-clock");
  } catch {
    return true;
  }
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
    watch: { lastWordsTo: controlFd, ...(isEmulated() && { hungAfterMs: EMULATED_HUNG_AFTER_MS }) },
  },
);
