/**
 * Entry point inside a room's container. Its agent connects to a socket in the one folder that they share, and may
 * hang up and come back: before a move, since a checkpoint must not hold a connection to the host, and when the
 * agent was started again. What is to be said meanwhile waits.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { CONTAINER_FILES } from "./container-files.js";
import { receiveLine, runSandboxed } from "./sandboxed.js";

/** More is not kept for an agent that stays away; the newest counts most. */
const MAX_WAITING_LINES = 1_000;
/** Only the last one is worth anything. */
const OUTDATED_BY_THE_NEXT = new Set(["usage", "checkpoint"]);

const configSchema = z.object({
  processId: z.string(),
  checkpointIntervalMs: z.number(),
  maxFramesPerSecond: z.number(),
  maxBytesPerSecond: z.number(),
  environment: z.record(z.string(), z.string()),
});

const pathOf = (file: string): string => join(CONTAINER_FILES.folder, file);

let agent: Socket | undefined;
let waiting: { text: string; type: string | undefined }[] = [];

function say(text: string, type: string | undefined): boolean {
  if (agent !== undefined) return agent.write(`${text}\n`);
  if (type !== undefined && OUTDATED_BY_THE_NEXT.has(type))
    waiting = waiting.filter((line) => line.type !== type);
  waiting.push({ text, type });
  if (waiting.length > MAX_WAITING_LINES) waiting.shift();
  if (type === "failed") writeFileSync(pathOf(CONTAINER_FILES.failed), text);
  return true;
}

function listenForAgent(onListening: () => void): void {
  createServer((socket) => {
    agent?.destroy();
    agent = socket;
    rmSync(pathOf(CONTAINER_FILES.alone), { force: true });
    const gone = (): void => {
      if (agent === socket) agent = undefined;
    };
    socket.on("error", () => socket.destroy());
    // It hangs up: what was written before is still sent, nothing after.
    socket.on("end", gone);
    socket.on("close", () => {
      gone();
      if (agent === undefined) put(CONTAINER_FILES.alone, "");
    });
    createInterface({ input: socket }).on("line", receiveLine).on("error", gone);
    const kept = waiting;
    waiting = [];
    for (const { text } of kept) socket.write(`${text}\n`);
  }).listen(pathOf(CONTAINER_FILES.control), onListening);
}

/** There at once and whole, and not open any more. */
function put(file: string, text: string): void {
  writeFileSync(pathOf(`${file}.new`), text);
  renameSync(pathOf(`${file}.new`), pathOf(file));
}

function tellPort(port: string): void {
  listenForAgent(() => put(CONTAINER_FILES.ready, port));
}

const given = pathOf(CONTAINER_FILES.config);
const { environment, ...config } = configSchema.parse(JSON.parse(readFileSync(given, "utf8")));
// It may hold what only rooms are to know.
rmSync(given);
Object.assign(process.env, environment);
await runSandboxed(
  { ready: tellPort, message: say },
  { ...config, watch: { lastWordsTo: pathOf(CONTAINER_FILES.lastWords) } },
);
