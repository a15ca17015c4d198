/** Every relative link in a committed Markdown file leads to a file, and to a heading of it if it names one. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

it("relative links lead somewhere", () => {
  const files = execFileSync("git", ["ls-files", "*.md"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n");
  expect(files.length).toBeGreaterThan(20);
  const broken = files.flatMap((file) => {
    const links = [...withoutCode(readFileSync(join(ROOT, file), "utf8")).matchAll(/\]\(([^)\s]+)\)/g)];
    return links
      .map(([, link = ""]) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && !leads(file, link))
      .map((link) => `${file}: ${link}`);
  });
  expect(broken).toEqual([]);
});

function leads(from: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? join(ROOT, from) : join(ROOT, dirname(from), path);
  if (relative(ROOT, target).startsWith("..") || !existsSync(target)) return false;
  if (anchor === undefined) return true;
  const headings = [...withoutCode(readFileSync(target, "utf8")).matchAll(/^#+ (.+)$/gm)];
  return headings.some(([, heading = ""]) => slug(heading) === anchor);
}

/** The anchor that a heading gets on the usual forges. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");
