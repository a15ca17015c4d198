/** A bundle of rooms loads with the copies of the installation that made it, whatever lay in the cache before. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { bundleRooms } from "@centroid/room-host/bundling";
import { expect, it } from "vitest";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../../..");
const ROOMS = join(ROOT, "test/fixtures/plain-rooms");

/** An installation elsewhere: the same code, with copies of the shared packages of its own. */
async function install(folder: string): Promise<(roomsDir: string, outDir: string) => Promise<unknown>> {
  const modules = join(folder, "node_modules");
  for (const name of ["@colyseus/core", "@colyseus/schema"]) {
    await mkdir(join(modules, name), { recursive: true });
    await writeFile(join(modules, name, "package.json"), JSON.stringify({ name, main: "index.js" }));
    await writeFile(join(modules, name, "index.js"), "");
  }
  await mkdir(join(modules, "@centroid"));
  await symlink(join(ROOT, "client/protocol"), join(modules, "@centroid/protocol"));
  for (const name of ["esbuild", "zod"]) await symlink(join(ROOT, "node_modules", name), join(modules, name));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  const dist = join(ROOT, "infra/room-host/dist");
  const bundling = (await readdir(join(dist, "bundling"))).map((name) => `bundling/${name}`);
  const others = ["activity/room-timers.js", "workers/sandbox-files.js"];
  for (const name of [...bundling, ...others]) {
    if (!name.endsWith(".js")) continue;
    const code = await readFile(join(dist, name), "utf8");
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), code.replace(/^\/\/# sourceMappingURL.*$/m, ""));
  }
  const { buildRooms } = (await import(join(folder, "bundling/build-rooms.js"))) as {
    buildRooms: (entry: { folder: string; contents: string }, outDir: string) => Promise<unknown>;
  };
  return (roomsDir, outDir) => buildRooms({ folder: roomsDir, contents: "export const rooms = {};" }, outDir);
}

it("an installation that is gone does not spoil the cache for the next one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bundle-"));
  try {
    const gone = join(folder, "gone");
    const cache = join(folder, "cache");
    await (await install(gone))(ROOMS, cache);
    await rm(gone, { recursive: true });
    const { path, roomTypes } = await bundleRooms(ROOMS, cache);
    // In a process of its own, as a room host loads it.
    const load = `import(${JSON.stringify(path)}).then(({ rooms }) => console.log(Object.keys(rooms).join()))`;
    const { stdout } = await run(process.execPath, ["-e", load]);
    expect(stdout.trim()).toBe(roomTypes.join());
    // A disk that has become full since does not matter.
    const { ino } = await stat(path);
    await bundleRooms(ROOMS, cache);
    expect((await stat(path)).ino).toBe(ino);
    await expect(bundleRooms(ROOMS, join(path, "in-a-file"))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/cannot write the folder .*in-a-file \(ENOTDIR\): .*--state-dir/),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

// Guests' bundles of two installations take half a minute of a core.
it.skipIf(process.env.CENTROID_HYPERVISORS !== "1")(
  "the same rooms give the same bundle and guest, wherever the program is started and keeps its files",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "centroid-bundle-"));
    const script = `
    import { createHash } from "node:crypto";
    import { readdirSync, readFileSync } from "node:fs";
    import { DEMO_ROOMS_DIR } from ${JSON.stringify(join(ROOT, "client/demo/dist/index.js"))};
    import { bundleRooms } from ${JSON.stringify(join(ROOT, "infra/room-host/dist/bundling/bundle-rooms.js"))};
    import { bundleGuest } from ${JSON.stringify(join(ROOT, "infra/room-host/dist/bundling/bundle-guest.js"))};
    const rooms = await bundleRooms(DEMO_ROOMS_DIR, "rooms");
    const guest = await bundleGuest(rooms, "guest");
    const hash = createHash("sha256");
    for (const name of readdirSync(guest).sort()) hash.update(name).update(readFileSync(guest + "/" + name));
    console.log(rooms.hash, hash.digest("hex"));`;
    try {
      const made: string[] = [];
      for (const at of ["one", "deep/in/another"]) {
        await mkdir(join(folder, at), { recursive: true });
        const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], {
          cwd: join(folder, at),
        });
        made.push(stdout);
      }
      expect(made[0]).toMatch(/^\w{16} \w{64}$/m);
      expect(made[1]).toBe(made[0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
