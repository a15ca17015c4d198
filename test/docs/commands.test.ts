/** Every `centroid` command that README and docs show, in blocks and in text, exists with the flags it is shown with. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { Cli } from "../support/run-cli.js";

const ROOT = join(import.meta.dirname, "../..");
/** Commands with commands of their own. */
const NESTED = new Set(["lab", "image", "bench"]);

let cli: Cli;
let files: string[];
beforeAll(async () => {
  cli = await Cli.create();
  const docs = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  files = ["README.md", ...docs.map((name) => `docs/${name}`)];
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

it("exists, with its flags", async () => {
  const shown = new Map<string, Set<string>>();
  for (const file of files) {
    const text = await readFile(join(ROOT, file), "utf8");
    const inText = [...text.matchAll(/`(?:sudo )?(?:npx )?centroid ([^`]+)`/g)].map(([, rest = ""]) => rest);
    const inBlocks = codeBlocks(join(ROOT, file)).flatMap(({ code }) =>
      [...code.matchAll(/^(?:sudo )?npx centroid (.+)$/gm)].map(([, rest = ""]) => rest),
    );
    for (const command of [...inText, ...inBlocks]) {
      const words = command.replace(/ #.*$/, "").split(/\s+/);
      if (!/^[a-z]+$/.test(words[0] ?? "")) continue;
      const name = words
        .slice(0, NESTED.has(words[0] ?? "") && /^[a-z]/.test(words[1] ?? "") ? 2 : 1)
        .join(" ");
      const flags = shown.get(name) ?? new Set();
      for (const word of words) if (word.startsWith("--")) flags.add(word.replace(/[=,].*$/, ""));
      shown.set(name, flags);
    }
  }
  expect(shown.size).toBeGreaterThan(15);
  const wrong: string[] = [];
  for (const [name, flags] of shown) {
    const { code, out } = await cli.run([...name.split(" "), "--help"]);
    if (code !== 0 || !out.startsWith(`Usage: centroid ${name}`)) wrong.push(name);
    for (const flag of flags)
      if (flag !== "--help" && !new RegExp(`${flag}\\b`).test(out)) wrong.push(`${name} ${flag}`);
  }
  expect(wrong).toEqual([]);
}, 180_000);

it("is typed through npx in every block, since nothing puts it on the PATH", async () => {
  for (const file of files)
    for (const { language, code } of codeBlocks(join(ROOT, file)))
      if (language === "sh") expect(code, file).not.toMatch(/^(sudo )?centroid /m);
});
