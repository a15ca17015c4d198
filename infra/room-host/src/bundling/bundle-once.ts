/** What builds bundles is a process of its own; a program that has built what it needs can do without it. */
import { stop } from "esbuild";
import { bundleApp, bundleRooms, type RoomsBundle } from "./bundle-rooms.js";

/**
 * Bundles a folder of rooms or a project, and ends esbuild's process; the next bundle starts another.
 * None else may be under way in this program.
 * @throws CentroidError CONFIG_INVALID
 */
export async function bundleOnce(
  source: { rooms: string } | { app: string },
  outDir: string,
  environment: NodeJS.ProcessEnv,
): Promise<RoomsBundle> {
  const bundle =
    "app" in source
      ? await bundleApp(source.app, outDir, environment)
      : await bundleRooms(source.rooms, outDir, environment);
  await stop();
  return bundle;
}
