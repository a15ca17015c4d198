/** Every file begins with a comment of at most ten lines that says what the file is for. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "./source-files.js";

const MAX_LINES = 10;
/** What users copy or read first has no room for it. */
const EXEMPT = /^(test\/fixtures|examples|client\/create-centroid\/template)\/|\.d\.ts$/;

it("every source file says what it is for", () => {
  const tracked = execFileSync("git", ["ls-files", "--", "*.ts", "*.tsx", "*.mjs", "*.c"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const files = tracked.split("\n").filter((file) => file !== "" && !EXEMPT.test(file));
  expect(files.length).toBeGreaterThan(100);
  const wrong = files.filter((file) => {
    const text = readFileSync(join(ROOT, file), "utf8").replace(/^#!.*\n/, "");
    const header = /^\/\*[\s\S]*?\*\/|^(\/\/.*\n)+/.exec(text)?.[0];
    return header === undefined || header.trim().split("\n").length > MAX_LINES;
  });
  expect(wrong).toEqual([]);
});
