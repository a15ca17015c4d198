/** What a host keeps on disk of the rooms in its sandboxes, so that an agent that starts again knows them. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { idSchema } from "@centroid/protocol";
import { z } from "zod";

const recordSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  epoch: z.number(),
  processId: z.string(),
  address: z.string(),
});
export type SandboxRecord = z.infer<typeof recordSchema>;

const NAME_PREFIX = "room-";
/** What a room's sandbox is called where it runs. */
export const sandboxNameOf = (roomId: string) => `${NAME_PREFIX}${roomId}`;
export const roomIdOf = (sandboxName: string) =>
  sandboxName.startsWith(NAME_PREFIX) ? sandboxName.slice(NAME_PREFIX.length) : undefined;

export class RoomRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #path(roomId: string): string {
    return join(this.#directory, `${sandboxNameOf(roomId)}.json`);
  }

  async write(record: SandboxRecord): Promise<void> {
    const path = this.#path(record.roomId);
    await writeFile(`${path}.new`, JSON.stringify(record));
    await rename(`${path}.new`, path);
  }

  /** Undefined if there is none that can be read. */
  async read(roomId: string): Promise<SandboxRecord | undefined> {
    const text = await readFile(this.#path(roomId), "utf8").catch(() => "null");
    const parsed = recordSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  }

  async remove(roomId: string): Promise<void> {
    await rm(this.#path(roomId), { force: true });
  }
}
