/** Bare Colyseus as a process of its own, for benchmarks beside it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DisposalStack, endChild } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";
import { freePort } from "../support/free-port.js";

const PROGRAM = join(import.meta.dirname, "bare-colyseus.mjs");
const STOP_TIMEOUT_MS = 5_000;

/** Starts a program with these arguments, and an IPC channel to it. */
type Start = (program: string, args: readonly string[]) => ChildProcess;

const forked: Start = (program, args) =>
  fork(program, args, { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });

/**
 * Resolves when it answers.
 * @param rooms folder of the rooms that it has
 * @param owned ends it
 */
export async function startBareColyseus(
  rooms: string,
  owned: DisposalStack,
  start: Start = forked,
): Promise<{ url: string; pid: number }> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const { path } = await bundleRooms(rooms, folder);
  const port = await freePort();
  const child = start(PROGRAM, [path, String(port)]);
  owned.defer(() => endChild(child, STOP_TIMEOUT_MS));
  await once(child, "message");
  return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 };
}
