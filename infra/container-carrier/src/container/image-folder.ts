/** A folder for one room's images while it moves: readable by nobody else, and gone afterwards, however that ends. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerConfig } from "../base/config.js";

const HASH_DIGITS = 12;

/** Of this agent: several may share a machine. */
function folderOf({ images, directory }: ContainerConfig): string {
  const name = createHash("sha256").update(directory).digest("hex").slice(0, HASH_DIGITS);
  return join(images, name);
}

export class ImageFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(config: ContainerConfig): Promise<ImageFolder> {
    const parent = folderOf(config);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    // Made with mode 0700.
    return new ImageFolder(await mkdtemp(join(parent, "move-")));
  }

  /** What an agent that ended in the middle of a move has left. */
  static async removeAll(config: ContainerConfig): Promise<void> {
    await rm(folderOf(config), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
