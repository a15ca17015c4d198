/** The lab's two small C programs, compiled on first use. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@centroid/vm-carrier";

const sources = fileURLToPath(new URL("../../native/", import.meta.url));

/** Path of the program, built from its current source. @throws {CommandError} when cc fails. */
export async function nativeProgram(name: "switch" | "reaper", directory: string): Promise<string> {
  const sourcePath = join(sources, `${name}.c`);
  const hash = createHash("sha256")
    .update(await readFile(sourcePath))
    .digest("hex")
    .slice(0, 12);
  const program = join(directory, `${name}-${hash}`);
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  const fresh = `${program}.${randomUUID()}`;
  await run("cc", ["-O2", "-o", fresh, sourcePath]);
  await rename(fresh, program);
  return program;
}
