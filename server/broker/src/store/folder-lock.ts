/**
 * One store folder, one broker, and one process that writes its store. The lock is a socket that the operating system
 * lets go of when its process ends, however it ends, so that there is nothing stale to clear. A second broker asks it who
 * is there; the process that writes waits until the one of an earlier broker has written its last.
 */
import { once } from "node:events";
import { rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CentroidError } from "@centroid/protocol/errors";

/** The other one answers at once, unless it stands still. */
const ANSWER_TIMEOUT_MS = 1_000;
/** Where nothing tells when the other one ends. */
const POLL_MS = 20;

export class FolderLock implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param folder exists
   * @param who what a second process is told, such as the port of this one
   * @throws CentroidError CONFIG_INVALID if the folder is another process's
   */
  static async take(folder: string, who: string): Promise<FolderLock> {
    const path = socketOf(folder, "");
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(`process ${process.pid} (${who})`);
    });
    // It must not keep its process from ending.
    server.unref();
    if (!(await listens(server, path))) {
      const other = await ask(path);
      if (other !== undefined) {
        throw new CentroidError(
          "CONFIG_INVALID",
          `${folder} belongs to ${other}; stop that one or choose another folder with --state-dir`,
        );
      }
      // Where sockets are files, one of a process that was killed is left over.
      rmSync(path, { force: true });
      if (!(await listens(server, path)))
        throw new CentroidError("CONFIG_INVALID", `${folder} is being taken by another process just now`);
    }
    return new FolderLock(server);
  }

  /**
   * Waits until no other process writes the folder, and is the one that does until this process ends.
   * @param folder exists
   * @throws CentroidError STORE_UNAVAILABLE if the other one has not ended by then
   */
  static async takeToWrite(folder: string, withinMs: number): Promise<FolderLock> {
    const path = socketOf(folder, "-writer");
    // Whoever waits is told by the end of its connection.
    const server = createServer((socket) => socket.on("error", () => socket.destroy()).unref());
    server.unref();
    const endsAtMs = performance.now() + withinMs;
    for (;;) {
      if (await listens(server, path)) return new FolderLock(server);
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0)
        throw new CentroidError(
          "STORE_UNAVAILABLE",
          `a process of an earlier broker still writes ${folder}; look at what its disk does, or end that process`,
        );
      if (!(await untilGone(path, leftMs))) rmSync(path, { force: true });
      await sleep(POLL_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

/** By what the folder is, not by how it is spelt. */
function socketOf(folder: string, part: "" | "-writer"): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  const name = `centroid-store-${dev}-${ino}${part}`;
  switch (process.platform) {
    case "linux":
      return `\0${name}`;
    case "win32":
      return `\\\\.\\pipe\\${name}`;
    default:
      return join(tmpdir(), `${name}.sock`);
  }
}

async function listens(server: Server, path: string): Promise<boolean> {
  const listening = once(server, "listening");
  server.listen(path);
  try {
    await listening;
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw cause;
  }
}

/** Waits for the end of the process that listens there. @returns false if there is none */
async function untilGone(path: string, withinMs: number): Promise<boolean> {
  const socket = connect(path);
  socket.setTimeout(withinMs, () => socket.destroy());
  let there = false;
  socket.once("connect", () => {
    there = true;
  });
  // One that ends before it has taken the connection resets it; `once` would throw that.
  socket.on("error", () => socket.destroy());
  socket.resume();
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return there;
}

/** @returns nothing if nobody is there */
async function ask(path: string): Promise<string | undefined> {
  const socket = connect(path);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  let answer = "";
  socket.on("data", (data) => {
    answer += String(data);
  });
  const ended = new Promise<boolean>((resolve) => {
    socket.once("close", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  const there = await ended;
  if (answer !== "") return answer;
  return there ? "a process that does not answer" : undefined;
}
