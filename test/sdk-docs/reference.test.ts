/** The API reference has every public name, each explained, and what is committed is up to date. */
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PUBLIC, reference, referencePages } from "../../docs/generate-api.js";

const ROOT = join(import.meta.dirname, "../..");
const API = join(ROOT, "docs/api");

it("explains every public export", () => {
  const bare = [...reference()].flatMap(([module, entries]) =>
    entries.filter(({ docs }) => docs === "").map(({ name }) => `${module}: ${name}`),
  );
  expect(bare).toEqual([]);
});

it("covers every entry of the packages, and every value they export", async () => {
  const known = reference();
  for (const folder of ["client/sdk", "client/room", "server"]) {
    const { name, exports } = JSON.parse(await readFile(join(ROOT, folder, "package.json"), "utf8"));
    // What gateways use of the SDK is nobody else's.
    for (const path of Object.keys(exports).filter((path) => path !== "./session"))
      expect(known.has(join(name, path))).toBe(true);
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

it("is committed as it is generated", async () => {
  const pages = referencePages();
  expect((await readdir(API)).sort()).toEqual([...pages.keys()].sort());
  for (const [file, text] of pages)
    expect(await readFile(join(API, file), "utf8"), `${file} is out of date: run npm run docs:api`).toBe(
      text,
    );
});

it("has one page per module, with links that lead somewhere", () => {
  const pages = referencePages();
  const sdk = pages.get("sdk.md");
  expect(sdk).toMatch(/^## CentroidClient$/m);
  expect(sdk).toMatch(/joinOrCreate<State = unknown>/);
  expect(sdk).toMatch(/z\.ZodMiniObject<\{\s+hostId/);
  const links = [...(pages.get("README.md") ?? "").matchAll(/\]\(([\w-]+\.md)(?:#(\w+))?\)/g)];
  expect(links.length).toBeGreaterThan(30);
  for (const [, file = "", anchor = ""] of links)
    expect(pages.get(file)?.toLowerCase(), `${file}#${anchor}`).toContain(`## ${anchor}`.trimEnd());
});
