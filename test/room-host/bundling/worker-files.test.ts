/** A container gets the files of its rooms' workers, with what they load, and runs them from there. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleGuest, bundleRooms } from "@centroid/room-host/bundling";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WorkerPools } from "../../../infra/room-host/dist/workers/worker-pools.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-worker-files-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

const runOnce = async (pools: WorkerPools, file: URL, input: unknown): Promise<unknown> => {
  using lease = pools.lease(file, 1, () => undefined);
  return new Promise((settle) => {
    lease.pool.run({ input, timeoutMs: 60_000, settle });
  });
};

it("has them, the files and packages that they load, and nothing else of where they were", async () => {
  await write({
    "game/rooms/duel.ts": `import { Room } from "@colyseus/core";
      import { workersOf } from "@centroid/room";
      export default class Duel extends Room {
        onCreate() { workersOf(this, new URL("../worker/guess.mjs?fast", import.meta.url)); }
      }`,
    "game/worker/guess.mjs": `import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      import { dirname, join } from "node:path";
      import { half } from "./half.mjs";
      const require = createRequire(import.meta.url);
      const model = Number(readFileSync(require.resolve("model/weights.bin"), "utf8"));
      const { plus } = require("model");
      const lib = readFileSync(join(dirname(require.resolve("model")), "lib/run.js"), "utf8");
      const run = new Function("require", lib);
      export default (n) => half(n) + model + plus + run(require);`,
    "game/worker/half.mjs": "export const half = (n) => n / 2;",
    "game/worker/unused.mjs": "",
    "game/node_modules/model/package.json": '{"main":"index.js","dependencies":{"base":"1"}}',
    "game/node_modules/model/index.js": 'exports.plus = require("base");',
    "game/node_modules/model/lib/run.js": 'return require("other");',
    "game/node_modules/model/test/all.js": "",
    "game/node_modules/model/weights.bin": "20",
    "game/node_modules/base/package.json": '{"main":"index.js"}',
    "game/node_modules/base/index.js": "module.exports = 100;",
    "game/node_modules/other/package.json": '{"main":"index.js"}',
    "game/node_modules/other/index.js": "module.exports = 1000;",
    "game/node_modules/third/package.json": "{}",
    "game/package.json": '{"type":"module"}',
  });
  await mkdir(join(folder, "game/node_modules/@centroid"));
  await symlink(
    join(import.meta.dirname, "../../../client/room"),
    join(folder, "game/node_modules/@centroid/room"),
  );
  const rooms = await bundleRooms(join(folder, "game/rooms"), join(folder, "bundle"));
  expect(rooms.workers).toEqual([join(folder, "game/worker/guess.mjs")]);
  const guest = await bundleGuest(rooms, join(folder, "guest"), "container");
  await rm(join(folder, "game"), { recursive: true });
  const copies = join(guest, "workers");
  const found = (await readdir(copies, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name).slice(join(copies, folder, "game").length + 1));
  expect(found.sort()).toEqual([
    "node_modules/base/index.js",
    "node_modules/base/package.json",
    "node_modules/model/index.js",
    "node_modules/model/lib/run.js",
    "node_modules/model/package.json",
    "node_modules/model/weights.bin",
    "node_modules/other/index.js",
    "node_modules/other/package.json",
    "package.json",
    "worker/guess.mjs",
    "worker/half.mjs",
  ]);

  const pools = new WorkerPools(copies);
  const worker = pathToFileURL(join(folder, "game/worker/guess.mjs"));
  expect(await runOnce(pools, worker, 6)).toMatchObject({ state: "done", output: 1123 });
  const missing = pathToFileURL(join(folder, "game/worker/unused.mjs"));
  expect(() => pools.lease(missing, 1, () => undefined)).toThrowError(
    expect.objectContaining({ code: "CARRIER_UNAVAILABLE", message: expect.stringContaining("process") }),
  );
}, 60_000);
