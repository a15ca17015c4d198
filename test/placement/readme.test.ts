/** Every block of placement/README.md runs with nothing but the package, and prints what it says. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const blocks = codeBlocks(join(ROOT, "placement/README.md"));
const programs = blocks.filter(({ language }) => language === "ts");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "placement-"));
  const modules = join(folder, "node_modules");
  const own = join(modules, "@centroid/placement");
  await mkdir(own, { recursive: true });
  await cp(join(ROOT, "placement/dist"), join(own, "dist"), { recursive: true });
  await cp(join(ROOT, "placement/package.json"), join(own, "package.json"));
  // Its dependencies are what its package says, and no more.
  const { dependencies } = JSON.parse(await readFile(join(ROOT, "placement/package.json"), "utf8"));
  for (const name of Object.keys(dependencies))
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
});
afterAll(() => rm(folder, { recursive: true }));

it.each(programs.map(({ title = "", code }) => [title, code]))(
  "%s prints what the README says",
  async (title, code) => {
    const { outputFiles } = await build({
      stdin: { contents: code, loader: "ts" },
      format: "esm",
      write: false,
    });
    const script = join(folder, title.replace(".ts", ".mjs"));
    await writeFile(script, outputFiles[0]?.text ?? "");
    const { stdout } = await exec(process.execPath, [script], { cwd: folder });
    const said = blocks.find((block) => block.language === "text" && block.title === title)?.code;
    expect(stdout).toBe(said);
  },
);

it("all programs type-check against the package alone", async () => {
  const out = join(ROOT, "test/artifacts/placement-readme");
  await mkdir(out, { recursive: true });
  for (const { title = "", code } of programs) await writeFile(join(out, title.replace(".ts", ".mts")), code);
  await writeFile(
    join(out, "tsconfig.json"),
    JSON.stringify({
      extends: "../../../tsconfig.base.json",
      compilerOptions: { composite: false, noEmit: true },
      include: ["*.mts"],
    }),
  );
  const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
  const { stdout } = await exec(tsc, ["-p", out]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
});
