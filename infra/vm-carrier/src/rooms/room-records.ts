/** What a host keeps on disk of the rooms in its VMs, so that an agent that starts again knows them. */
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
export type VmRoomRecord = z.infer<typeof recordSchema>;

const namePrefix = "room-";
export const domainNameOf = (roomId: string) => `${namePrefix}${roomId}`;
export const roomIdOf = (domainName: string) =>
  domainName.startsWith(namePrefix) ? domainName.slice(namePrefix.length) : undefined;

export class RoomRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #path(roomId: string): string {
    return join(this.#directory, `${domainNameOf(roomId)}.json`);
  }

  async write(record: VmRoomRecord): Promise<void> {
    const path = this.#path(record.roomId);
    await writeFile(`${path}.new`, JSON.stringify(record));
    await rename(`${path}.new`, path);
  }

  /** Undefined if there is none that can be read. */
  async read(roomId: string): Promise<VmRoomRecord | undefined> {
    const text = await readFile(this.#path(roomId), "utf8").catch(() => "null");
    const parsed = recordSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  }

  async remove(roomId: string): Promise<void> {
    await rm(this.#path(roomId), { force: true });
  }
}
