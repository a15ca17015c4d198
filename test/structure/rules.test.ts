/** Every rule of docs/protocol.md is held by at least one test that names it, and no test names a rule that is not there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "./source-files.js";

const RULE = "(?:OWN|MSG|STATE|STBY|FAIL|BRK|LIFE)-\\d+";

it("rules and tests name each other", () => {
  const text = readFileSync(join(ROOT, "docs/protocol.md"), "utf8");
  const rules = [...text.matchAll(new RegExp(`\\*\\*(${RULE})\\*\\*`, "g"))].map(([, id]) => id ?? "");
  expect(new Set(rules).size).toBe(rules.length);
  const named = new Set<string>();
  for (const file of readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".test.ts") || file.startsWith("structure")) continue;
    const source = readFileSync(join(ROOT, "test", file), "utf8");
    // In a title, in brackets at its end.
    for (const [, ids = ""] of source.matchAll(new RegExp(`\\((${RULE}(?:, ${RULE})*)\\)["\`]`, "g")))
      for (const id of ids.split(", ")) named.add(id);
  }
  expect([...named].sort()).toEqual([...rules].sort());
});
