/** The API reference has every public name, each with words of its own. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { PUBLIC, reference } from "../../docs/generate-api.js";

const ROOT = join(import.meta.dirname, "../..");

it("explains every public export", () => {
  const bare = [...reference()].flatMap(([module, entries]) =>
    entries.filter(({ docs }) => docs === "").map(({ name }) => `${module}: ${name}`),
  );
  expect(bare).toEqual([]);
});

it("covers every entry of the packages, and every value they export", async () => {
  const known = reference();
  for (const folder of ["client/sdk", "server"]) {
    const { name, exports } = JSON.parse(await readFile(join(ROOT, folder, "package.json"), "utf8"));
    for (const path of Object.keys(exports)) expect(known.has(join(name, path))).toBe(true);
  }
  const load = createRequire(import.meta.url);
  for (const { name } of PUBLIC) {
    // The overlay is an element: there is none to load it into here.
    if (name === "@centroid/sdk/hud") continue;
    const module = (await import(load.resolve(name))) as object;
    const documented = known.get(name)?.map((entry) => entry.name);
    for (const value of Object.keys(module)) expect(documented).toContain(value);
  }
});

it("is written as one page per module", async () => {
  await promisify(execFile)("npm", ["run", "--silent", "docs:api"], { cwd: ROOT });
  const page = await readFile(join(ROOT, "docs/api/sdk.md"), "utf8");
  expect(page).toMatch(/^## CentroidClient$/m);
  expect(page).toMatch(/joinOrCreate<State = unknown>/);
  expect(page).toMatch(/z\.ZodObject<\{\s+hostId/);
  expect(await readFile(join(ROOT, "docs/api/README.md"), "utf8")).toContain("(server-testing.md)");
});
