/**
 * Writes the API reference from the built declarations: every public export with its docstring and its type.
 * `npm run docs:api` runs it; the result is not committed.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Entry, readEntries } from "./read-declarations.js";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "docs/api");

/** What users may import, and where its declarations are. */
export const PUBLIC = [
  { name: "@centroid/sdk", file: "client/sdk/dist/index.d.ts" },
  { name: "@centroid/sdk/hud", file: "client/sdk/dist/hud.d.ts" },
  { name: "@centroid/server", file: "server/broker/dist/index.d.ts" },
  { name: "@centroid/server/config", file: "server/cli/dist/config/config.d.ts" },
  { name: "@centroid/server/testing", file: "server/cli/dist/testing.d.ts" },
] as const;

/** Every public export, by the module it is imported from. */
export function reference(): Map<string, Entry[]> {
  return new Map(PUBLIC.map(({ name, file }) => [name, readEntries(join(ROOT, file), ROOT)]));
}

function page(name: string, entries: readonly Entry[]): string {
  const parts = entries.map(
    ({ name: exported, docs, code }) => `## ${exported}\n\n${docs}\n\n\`\`\`ts\n${code}\n\`\`\`\n`,
  );
  return [`# ${name}\n`, ...parts].join("\n");
}

async function main(): Promise<void> {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  const links: string[] = [];
  for (const [name, entries] of reference()) {
    const file = `${name.replace("@centroid/", "").replace("/", "-")}.md`;
    await writeFile(join(OUT, file), page(name, entries));
    links.push(`- [${name}](${file}): ${entries.map(({ name: exported }) => exported).join(", ")}`);
  }
  await writeFile(join(OUT, "README.md"), `# API reference\n\n${links.join("\n")}\n`);
  process.stdout.write(`${OUT}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
