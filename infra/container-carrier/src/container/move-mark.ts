/** What a container's folder says of a move under way, for an agent that starts again in the middle of it. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const FILE = "move.json";

const markSchema = z.object({
  /**
   * `leaving`: stopped, and perhaps running elsewhere by now; only the broker may have it continued.
   * `arriving`: it never ran here, and must not.
   */
  state: z.enum(["leaving", "arriving"]),
  migrationId: z.string(),
});
export type MoveMark = z.output<typeof markSchema>;

/** @param folder of the room's container */
export async function writeMark(folder: string, mark: MoveMark): Promise<void> {
  await writeFile(join(folder, FILE), JSON.stringify(mark));
}

export async function readMark(folder: string): Promise<MoveMark | undefined> {
  const text = await readFile(join(folder, FILE), "utf8").catch(() => undefined);
  return text === undefined ? undefined : markSchema.parse(JSON.parse(text));
}

export async function removeMark(folder: string): Promise<void> {
  await rm(join(folder, FILE), { force: true });
}
