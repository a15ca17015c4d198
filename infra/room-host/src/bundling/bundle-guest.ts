/** The program of a room's VM or container: room host and rooms in one folder of modules that need nothing else. */
import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { SANDBOX_FILES } from "../workers/sandbox-files.js";
import type { RoomsBundle } from "./bundle-rooms.js";
import { filesOfWorkers } from "./worker-files.js";

/** Paths get into the code: the same rooms give the same image wherever the program is started. */
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const MAINS = {
  guest: fileURLToPath(new URL("../guest-main.js", import.meta.url)),
  container: fileURLToPath(new URL("../container-main.js", import.meta.url)),
} as const;
/** Run beside it, by their names. */
const THREADS = {
  "watch-thread": fileURLToPath(new URL("../activity/watch-thread.js", import.meta.url)),
  "worker-main": fileURLToPath(new URL("../workers/worker-main.js", import.meta.url)),
};

/** Written to `outDir`; `main.mjs` is what runs. Both parts share one copy of Colyseus. */
export async function bundleGuest(
  rooms: RoomsBundle,
  outDir: string,
  kind: keyof typeof MAINS = "guest",
): Promise<string> {
  const folder = resolve(outDir, `${kind}-${rooms.hash}`);
  // Parts of an earlier version would be packed, too.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: { main: MAINS[kind], rooms: rooms.path, ...THREADS },
    absWorkingDir: PACKAGE,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minifyWhitespace: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // A native binary for every system; in the guest the room host falls back to ws.
    external: ["uWebSockets.js", "msgpackr-extract"],
    logLevel: "silent",
    banner: {
      js: 'import { createRequire as __guestRequire } from "node:module"; const require = __guestRequire(import.meta.url);',
    },
  });
  // A machine has its files in its memory, which would move with it.
  if (kind === "container") await copyWorkers(rooms.workers, join(folder, SANDBOX_FILES.workers));
  return folder;
}

/** Where they are within the folder says where they were: so they find each other, and packages. */
async function copyWorkers(workers: readonly string[], folder: string): Promise<void> {
  for (const path of await filesOfWorkers(workers)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(path, join(folder, path));
  }
}
