/** The program of a room's VM: room host and rooms in one folder of modules that need nothing else. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { RoomsBundle } from "./bundle-rooms.js";

const GUEST_MAIN = fileURLToPath(new URL("../roomhost/guest.js", import.meta.url));

/** Written to `outDir`; `main.mjs` is what runs. Both parts share one copy of Colyseus. */
export async function bundleGuest(rooms: RoomsBundle, outDir: string): Promise<string> {
  const folder = join(outDir, `guest-${rooms.hash}`);
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: { main: GUEST_MAIN, rooms: rooms.path },
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
