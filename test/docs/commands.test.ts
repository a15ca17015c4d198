/** Every `centroid` command that README and docs show, in blocks and in text, exists with the flags it is shown with. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { createProgram } from "../../server/cli/dist/program.js";
import { codeBlocks } from "../support/markdown.js";

const ROOT = join(import.meta.dirname, "../..");
/** Commands with commands of their own. */
const NESTED = new Set(["lab", "image", "bench"]);

let files: string[];
beforeAll(async () => {
  const docs = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  const examples = (await readdir(join(ROOT, "examples"), { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  files = [
    "README.md",
    ...docs.map((name) => `docs/${name}`),
    ...examples.map(({ name }) => `examples/${name}/README.md`),
  ];
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
      if (!/^[a-z]+(-[a-z]+)*$/.test(words[0] ?? "")) continue;
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
    let command = createProgram();
    for (const word of name.split(" ")) {
      const next = command.commands.find((candidate) => candidate.name() === word);
      if (next === undefined) wrong.push(name);
      else command = next;
    }
    const known = new Set(["--help", ...command.options.map(({ long }) => long)]);
    for (const flag of flags) if (!known.has(flag)) wrong.push(`${name} ${flag}`);
  }
  expect(wrong).toEqual([]);
});

it("is typed through npx in every block, since nothing puts it on the PATH", async () => {
  for (const file of files)
    for (const { language, code } of codeBlocks(join(ROOT, file)))
      if (language === "sh") expect(code, file).not.toMatch(/^(sudo )?centroid /m);
});
