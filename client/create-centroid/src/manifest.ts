/** The new project's package.json. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = realpathSync(fileURLToPath(new URL("..", import.meta.url)));

/** What a game needs of ours, and where it lies in a checkout. */
const OURS: Readonly<Record<string, string>> = {
  "@centroid/sdk": "client/sdk",
  "@centroid/server": "server",
};
/** Exactly those that a room shares with its host: a second copy would have type tables of its own. */
const COLYSEUS = { "@colyseus/core": "0.18.17", "@colyseus/schema": "5.0.34" };
const TOOLS = { "@types/node": "^20.19.0", typescript: "7.0.2", vite: "^8.3.8", vitest: "4.1.12" };

export interface Manifest {
  name: string;
  private: true;
  version: string;
  type: "module";
  engines: Record<string, string>;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

/** @param name a valid package name */
export function manifestOf(name: string): Manifest {
  return {
    name,
    private: true,
    version: "0.0.1",
    type: "module",
    engines: { node: ">=20.19.0" },
    scripts: {
      prestart: "vite build",
      start: "centroid up --rooms rooms --page dist --emulate",
      dev: "vite",
      test: "vitest run",
      check: "tsc",
    },
    dependencies: { ...ours(), ...COLYSEUS },
    devDependencies: TOOLS,
  };
}

/** As installed, our packages are of this one's version; in a checkout they lie beside it. */
function ours(): Record<string, string> {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as { version: string };
  const root = join(PACKAGE, "..", "..");
  const installed = PACKAGE.includes(`${sep}node_modules${sep}`);
  const at = (folder: string): string =>
    !installed && existsSync(join(root, folder, "package.json"))
      ? `file:${join(root, folder)}`
      : `^${version}`;
  return Object.fromEntries(Object.entries(OURS).map(([name, folder]) => [name, at(folder)]));
}
