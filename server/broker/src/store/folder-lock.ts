/**
 * One store folder, one broker. The lock is a socket that the operating system lets go of when its process ends, however
 * it ends, so that there is nothing stale to clear; whoever comes second asks it who is there.
 */
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CentroidError } from "@centroid/protocol";

/** The other one answers at once, unless it stands still. */
const ANSWER_TIMEOUT_MS = 1_000;

export class FolderLock implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Makes the folder if there is none.
   * @param who what a second process is told, such as the port of this one
   * @throws CentroidError CONFIG_INVALID if the folder is another process's or cannot be written
   */
  static async take(folder: string, who: string): Promise<FolderLock> {
    assertWritable(folder);
    const path = socketOf(folder);
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

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

/** By what the folder is, not by how it is spelt. */
function socketOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  const name = `centroid-store-${dev}-${ino}`;
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

/** @throws CentroidError CONFIG_INVALID that says what to do */
export function assertWritable(folder: string): void {
  const trial = join(folder, `.trial-${process.pid}`);
  try {
    makeFolder(folder);
    writeFileSync(trial, "trial", { mode: 0o600 });
  } catch (cause) {
    discard(trial);
    throw unwritable(folder, cause);
  }
  rmSync(trial, { force: true });
}

/** Level by level: Node's recursive way says ENOENT of a file system that is read-only. */
function makeFolder(folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    // Another process may have made it just now.
    if (!(existsSync(folder) && statSync(folder).isDirectory())) throw cause;
  }
}

/** What a full disk has left of it, if it got that far. */
function discard(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Then there is nothing.
  }
}

/** Why a folder cannot be used, and what to do about it. */
function unwritable(folder: string, cause: unknown): CentroidError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const remedies: Readonly<Record<string, string>> = {
    ENOSPC: "its disk is full: free some space",
    EDQUOT: "the quota is used up: free some space",
    EROFS: "its file system is read-only: mount it for writing",
    EACCES: "it belongs to another user: change its owner",
    EPERM: "it belongs to another user: change its owner",
    ENOTDIR: "a part of its path is a file",
    EEXIST: "there is a file of that name",
    EIO: "its disk fails",
  };
  const why = remedies[code] ?? CentroidError.from(cause).message;
  return new CentroidError(
    "CONFIG_INVALID",
    `cannot write the folder ${folder} (${code || "error"}): ${why}, or choose another one with --state-dir`,
    { cause },
  );
}
