/** What create-centroid refuses, and how it says so. That what it makes runs is shown in test/packages. */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "client/create-centroid/dist/main.js");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-create-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const create = (...args: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd: folder }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });

it.each([
  [[], /a project needs a name: npx create-centroid my-game/],
  [["My Game"], /"My Game" cannot be a package's name.*try "my-game"/],
  [["../.hidden"], /try "hidden"/],
  [["node_modules"], /reserved/],
  [["Ärger!"], /try "rger"/],
  [["x".repeat(215)], /215 characters; 214/],
  [["one", "two"], /one folder only/],
  [["game", "--force"], /Unknown option '--force'/],
])("refuses %j in words that help, and writes nothing", async (args, words) => {
  const { code, err } = await create(...args, "--no-install");
  expect(err.split("\n")[0]).toMatch(words);
  expect(err).not.toMatch(/at .*\.js:\d+/);
  expect(code).toBe(2);
  expect(await readdir(folder)).toEqual([]);
});

it("leaves a folder that has something in it as it is", async () => {
  await mkdir(join(folder, "taken"));
  await writeFile(join(folder, "taken", "precious.txt"), "mine");
  const { code, err } = await create("taken", "--no-install");
  expect([code, err]).toEqual([1, expect.stringMatching(/taken is not empty; choose another name/)]);
  expect(await readdir(join(folder, "taken"))).toEqual(["precious.txt"]);
  await writeFile(join(folder, "file"), "");
  expect((await create("file", "--no-install")).err).toMatch(/file cannot be written/);
});

it.skipIf(process.getuid?.() === 0)("says so when it may not write", async () => {
  await mkdir(join(folder, "closed"));
  await chmod(join(folder, "closed"), 0o500);
  expect((await create("closed/game", "--no-install")).err).toMatch(/cannot be written/);
});

it("from a checkout, takes the packages beside it; versions are those tested here", async () => {
  expect((await create("deep/er/game-1", "--no-install")).code).toBe(0);
  const made = JSON.parse(await readFile(join(folder, "deep/er/game-1/package.json"), "utf8"));
  expect(made.name).toBe("game-1");
  expect(made.dependencies["@centroid/server"]).toBe(`file:${join(ROOT, "server")}`);
  const { devDependencies: tested } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  for (const [name, range] of Object.entries({ ...made.dependencies, ...made.devDependencies })) {
    if (!name.startsWith("@centroid/")) expect([name, range]).toEqual([name, tested[name]]);
  }
  const files = await readdir(join(folder, "deep/er/game-1"));
  expect(files).toContain(".gitignore");
  expect(files).not.toContain("_gitignore");
  expect(await readFile(join(folder, "deep/er/game-1/README.md"), "utf8")).toMatch(/^# game-1\n/);
});
