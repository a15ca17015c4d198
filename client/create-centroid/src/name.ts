/** What a project may be called: its folder's name becomes an npm package's. */

/** npm's own limit. */
const MAX_NAME_CHARS = 214;
const NAME = /^[a-z0-9][a-z0-9._-]*$/;
/** npm refuses them: one is its folder, the other its own host. */
const RESERVED = new Set(["node_modules", "favicon.ico"]);

/** @returns what is wrong with the name and what to write instead; undefined if it is fine */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "a project needs a name: npx create-centroid my-game";
  if (name.length > MAX_NAME_CHARS)
    return `that name has ${name.length} characters; ${MAX_NAME_CHARS} are the most`;
  if (RESERVED.has(name)) return `"${name}" is reserved; choose another name`;
  if (NAME.test(name)) return undefined;
  const better = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "");
  const hint = better === "" ? "" : `; try "${better}"`;
  return `"${name}" cannot be a package's name: small letters, digits, "-", "_" and "." only, a letter or digit first${hint}`;
}
