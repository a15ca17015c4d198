/** The lab's two small C programs, compiled on first use. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileProgram } from "@centroid/agent";

const sources = fileURLToPath(new URL("../../native/", import.meta.url));

/** Path of the program, built from its current source. @throws {CommandError} when cc fails. */
export const nativeProgram = (name: "switch" | "reaper", directory: string): Promise<string> =>
  compileProgram(join(sources, `${name}.c`), directory);
