/** Reads what recorders have written. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type HistoryEvent, historyEventSchema } from "./events.js";

/** Everything in the folder, in the order in which it happened. */
export async function readHistory(folder: string): Promise<HistoryEvent[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".jsonl"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts
    .flatMap((text) => text.split("\n").filter((line) => line !== ""))
    .map((line) => historyEventSchema.parse(JSON.parse(line)))
    .sort((a, b) => a.atMs - b.atMs);
}
