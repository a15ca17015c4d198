/** The program of a room's VM or container: room host and rooms in one folder of modules that need nothing else. */
import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { RoomsBundle } from "./bundle-rooms.js";

/** Paths get into the code: the same rooms give the same image wherever the program is started. */
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const MAINS = {
  guest: fileURLToPath(new URL("../guest-main.js", import.meta.url)),
  container: fileURLToPath(new URL("../container-main.js", import.meta.url)),
} as const;
/** Runs beside it, by its name. */
const WATCH_THREAD = fileURLToPath(new URL("../activity/watch-thread.js", import.meta.url));

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
    entryPoints: { main: MAINS[kind], rooms: rooms.path, "watch-thread": WATCH_THREAD },
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
  return folder;
}
