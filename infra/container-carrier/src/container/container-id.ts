/** By what its host calls a container's control groups and network card, whichever room has it. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const FILE = "id";
const BYTES = 5;

/** @param folder of the container */
export async function giveContainerId(folder: string): Promise<void> {
  await writeFile(join(folder, FILE), randomBytes(BYTES).toString("hex"));
}

/** Undefined if it never got one. */
export const containerId = (folder: string): Promise<string | undefined> =>
  readFile(join(folder, FILE), "utf8").catch(() => undefined);
