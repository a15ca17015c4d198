/** What a container's folder says of a move under way, for an agent that starts again in the middle of it. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { roomReportSchema } from "@centroid/protocol";
import { z } from "zod";

const FILE = "move.json";

const markSchema = z.discriminatedUnion("state", [
  /**
   * Stopped, and perhaps running elsewhere by now; only the broker may have it continued. To the broker it is what it
   * was before.
   */
  z.object({ state: z.literal("leaving"), migrationId: z.string(), report: roomReportSchema }),
  /** A part of its memory is elsewhere, where it may have run: it must not run here again. */
  z.object({ state: z.literal("divided"), migrationId: z.string() }),
  /** It never ran here, and must not. */
  z.object({ state: z.literal("arriving"), migrationId: z.string() }),
]);
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
