/** Code blocks of a Markdown file, with their language and title, in order. */
import { readFileSync } from "node:fs";

export interface CodeBlock {
  language: string;
  title: string | undefined;
  code: string;
}

export function codeBlocks(path: string): CodeBlock[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/^```(\w+)(?: title="([^"]+)")?\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", title, code = ""]) => ({
      language,
      title,
      code,
    }),
  );
}
