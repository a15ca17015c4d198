/** Whether a folder can be written, found out before anything depends on it. */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { unwritable } from "@centroid/protocol/node";

/**
 * Makes it if there is none.
 * @throws CentroidError CONFIG_INVALID that says what to do
 */
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
