/** Small C programs that a host needs beside Node, compiled on first use. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./run.js";

/** As much of a source's hash as tells it from others. */
const HASH_DIGITS = 12;

/**
 * Path of the program in `directory`, built from its current source.
 * @throws {CommandError} when cc fails
 */
export async function compileProgram(
  sourcePath: string,
  directory: string,
  flags: readonly string[] = [],
): Promise<string> {
  const hash = createHash("sha256")
    .update(await readFile(sourcePath))
    .digest("hex")
    .slice(0, HASH_DIGITS);
  const program = join(directory, `${basename(sourcePath, ".c")}-${hash}`);
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  const fresh = `${program}.${randomUUID()}`;
  await run("cc", ["-O2", ...flags, "-o", fresh, sourcePath]);
  await rename(fresh, program);
  return program;
}
