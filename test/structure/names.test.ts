/** One name, one meaning: no two files declare an export of the same name. */
import { expect, it } from "vitest";
import { sourceFiles } from "./source-files.js";

/** Pairs that are one thing for two platforms, of which a build takes one. */
const SAME_THING_TWICE = new Set(["PlatformWebSocket"]);

it("no exported name is declared twice", () => {
  const declared = new Map<string, string[]>();
  for (const { path, declares } of sourceFiles()) {
    for (const name of declares) {
      if (name === "default" || SAME_THING_TWICE.has(name)) continue;
      declared.set(name, [...(declared.get(name) ?? []), path]);
    }
  }
  expect([...declared].filter(([, paths]) => paths.length > 1)).toEqual([]);
});
