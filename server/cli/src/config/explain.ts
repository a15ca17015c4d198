/** What is wrong with a configuration, in one line that names the key. */
import type { z } from "zod";
import { configSchema, hostSettingsSchema } from "./schema.js";

/** `key: what is wrong`, or the unknown key and the nearest known one at that place. */
export function explainIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[] = []): string {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const where = path.length === 0 ? "" : ` in ${path.join(".")}`;
    return `unknown key "${key}"${where}; did you mean "${nearest(key, knownKeys(path))}"?`;
  }
  if (issue.code === "invalid_union") {
    const deepest = issue.errors
      .flatMap((branch) => branch.slice(0, 1))
      .sort((a, b) => depth(b) - depth(a))[0];
    if (deepest !== undefined && depth(deepest) > 0) return explainIssue(deepest, path);
    if (path[0] === "hosts")
      return "hosts: neither a number of the demo world's cities (0-64) nor a list of hosts";
  }
  return `${path.join(".") || "configuration"}: ${issue.message}`;
}

/** An unknown key lies one level below its path. */
const depth = (issue: z.core.$ZodIssue): number =>
  issue.path.length + (issue.code === "unrecognized_keys" ? 1 : 0);

function knownKeys([first]: readonly PropertyKey[]): string[] {
  if (first === "hosts") return Object.keys(hostSettingsSchema.shape);
  if (first === "placement") return Object.keys(configSchema.shape.placement.unwrap().shape);
  return Object.keys(configSchema.shape);
}

/** The known word with the fewest edits (Levenshtein). */
function nearest(word: string, known: readonly string[]): string {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
        next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
      }
      row = next;
    }
    return row[b.length] ?? 0;
  };
  return [...known].sort((a, b) => distance(word, a) - distance(word, b))[0] ?? "";
}
