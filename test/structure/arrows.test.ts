/** Imports point down only: between packages as listed here, and between the folders of a package without a ring. */
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { importedFolder, sourceFiles, workspaces } from "./source-files.js";

/** What each package may import of ours. docs/architecture.md draws it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  placement: [],
  "client/protocol": [],
  "client/room": [],
  "client/sdk": ["client/protocol"],
  "client/bots": ["client/protocol", "client/sdk", "placement"],
  "client/dashboard": ["client/protocol"],
  "client/naf-adapter": ["client/sdk"],
  "client/demo": ["client/naf-adapter", "client/room", "client/sdk"],
  "client/create-centroid": [],
  "infra/node-libvirt": [],
  "infra/room-host": ["client/protocol", "client/room"],
  "infra/agent": ["client/protocol", "infra/room-host"],
  "infra/gateway": ["client/protocol", "client/sdk"],
  "infra/vm-carrier": ["client/protocol", "infra/agent", "infra/node-libvirt", "infra/room-host"],
  "infra/container-carrier": ["client/protocol", "infra/agent", "infra/room-host"],
  "infra/emulation": [
    "client/protocol",
    "infra/agent",
    "infra/container-carrier",
    "infra/node-libvirt",
    "infra/room-host",
    "infra/vm-carrier",
    "placement",
  ],
  infra: ["client/room", "infra/agent", "infra/emulation", "infra/room-host", "infra/vm-carrier"],
  "server/broker": ["client/protocol", "placement"],
  "server/cli": [
    "client/bots",
    "client/dashboard",
    "client/demo",
    "client/protocol",
    "client/sdk",
    "infra/agent",
    "infra/container-carrier",
    "infra/emulation",
    "infra/gateway",
    "infra/room-host",
    "infra/vm-carrier",
    "placement",
    "server/broker",
  ],
  server: ["infra/gateway", "server/broker", "server/cli"],
};

const packages = [...workspaces()].filter(([folder]) => folder !== "test");
const folderOf = new Map(packages.map(([folder, { name }]) => [name, folder]));
const files = sourceFiles();

describe("packages", () => {
  it.each(packages)(
    "%s depends on what it may, and on all that it imports",
    (folder, { dependencies = {}, devDependencies = {} }) => {
      const declared = Object.keys({ ...dependencies, ...devDependencies })
        .flatMap((name) => folderOf.get(name) ?? [])
        .sort();
      expect(declared).toEqual(ARROWS[folder]);
      const imported = files
        .filter(({ packageFolder }) => packageFolder === folder)
        .flatMap(({ imports }) => imports)
        .filter((specifier) => specifier.startsWith("@centroid/"))
        .map((specifier) => folderOf.get(specifier.split("/").slice(0, 2).join("/")));
      expect([...new Set(imported)].filter((to) => to === undefined || !declared.includes(to))).toEqual([]);
    },
  );

  it("point down: nothing is reached from below", () => {
    const below = (folder: string, path: readonly string[] = []): void => {
      expect(path).not.toContain(folder);
      for (const to of ARROWS[folder] ?? []) below(to, [...path, folder]);
    };
    for (const [folder] of packages) below(folder);
  });
});

describe("folders of a package", () => {
  const arrows = new Map<string, Map<string, string>>();
  for (const { path, imports } of files) {
    // An index only passes on what it imports.
    if (path.endsWith("/index.ts")) continue;
    for (const specifier of imports) {
      if (!specifier.startsWith(".")) continue;
      const to = importedFolder(path, specifier);
      if (to === dirname(path)) continue;
      const out = arrows.get(dirname(path)) ?? new Map<string, string>();
      arrows.set(dirname(path), out.set(to, `${path} -> ${specifier}`));
    }
  }

  it("form no ring", () => {
    const done = new Set<string>();
    const rings: string[][] = [];
    const walk = (folder: string, path: readonly string[]): void => {
      const at = path.indexOf(folder);
      if (at >= 0) {
        const ring = [...path.slice(at), folder];
        rings.push(ring.slice(1).map((to, i) => arrows.get(ring[i] ?? "")?.get(to) ?? to));
        return;
      }
      if (done.has(folder)) return;
      for (const to of arrows.get(folder)?.keys() ?? []) walk(to, [...path, folder]);
      done.add(folder);
    };
    for (const folder of arrows.keys()) walk(folder, []);
    expect(rings).toEqual([]);
  });
});
