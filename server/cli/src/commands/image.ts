/** `centroid image`: the guest that rooms run in when the carrier is `vm`. */
import { resolve } from "node:path";
import { CentroidError } from "@centroid/protocol";
import type { Command } from "commander";
import { color, fail, print, printJson } from "../terminal/output.js";

interface ImageFlags {
  dir: string;
  program?: string;
  json?: boolean;
}

/** Beside the other state of a deployment started in this folder. */
export const DEFAULT_IMAGE_DIR = ".centroid/image";

export function registerImage(program: Command): void {
  const image = program
    .command("image")
    .description("build and inspect the guest image for rooms in virtual machines");
  image
    .command("build")
    .description("build kernel and initramfs from Debian packages, reproducibly")
    .option("--dir <dir>", "output folder", DEFAULT_IMAGE_DIR)
    .option("--program <file>", "program of the guest: one self-contained .mjs (default: the benchmark's)")
    .option("--json", "machine-readable output")
    .action(async (flags: ImageFlags) => {
      const json = flags.json === true;
      try {
        const { buildGuestImage } = await import("@centroid/vm-carrier");
        const built = await buildGuestImage({
          directory: resolve(flags.dir),
          ...(flags.program === undefined ? {} : { program: resolve(flags.program) }),
          onStep: (step) => {
            if (!json) print(color.dim(step));
          },
        });
        if (json) printJson(built);
        else print(`${flags.dir}: ${Math.round(built.bytes / 2 ** 20)} MiB, ${built.hash.slice(0, 16)}`);
      } catch (cause) {
        fail(cause, json);
      }
    });
  image
    .command("show")
    .description("list the contents of the built image")
    .option("--dir <dir>", "folder of the image", DEFAULT_IMAGE_DIR)
    .action(async (flags: ImageFlags) => {
      try {
        const { readGuestImage } = await import("@centroid/vm-carrier");
        const built = await readGuestImage(resolve(flags.dir));
        if (built === undefined)
          throw new CentroidError("NOT_FOUND", `no guest image in ${flags.dir}; run: centroid image build`);
        printJson(built);
      } catch (cause) {
        fail(cause, false);
      }
    });
}
