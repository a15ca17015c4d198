/** A broker can be installed without the rest: nothing of rooms, their transport, bundling, pages or bots comes with it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

interface LockedPackage {
  /** Of a link: the workspace folder that it leads to. */
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>;
}

const NOT_FOR_A_BROKER = [
  "uWebSockets.js",
  "uwebsockets-express",
  "esbuild",
  "aframe",
  "@colyseus/core",
  "@colyseus/uwebsockets-transport",
  "@centroid/room-host",
  "@centroid/bots",
  "@centroid/demo",
  "@centroid/dashboard",
];

const { packages } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8"),
) as { packages: Readonly<Record<string, LockedPackage>> };

/** Where Node finds `name` from a package at `from`: in the nearest node_modules above. */
function installedAt(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.includes("/") ? folder.slice(0, folder.lastIndexOf("/")) : "") {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    const found = packages[path];
    if (found !== undefined) return found.link === true ? found.resolved : path;
    if (folder === "") return undefined;
  }
}

/** Names of all packages that a production install of the package at `start` brings, itself included. */
function productionClosure(start: string): Set<string> {
  const names = new Set<string>();
  const seen = new Set<string>();
  const waiting = [{ name: start, path: start }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { name, path } = next;
    names.add(name);
    if (seen.has(path)) continue;
    seen.add(path);
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
      packages[path] ?? {};
    const peers = Object.keys(peerDependencies ?? {}).filter(
      (peer) => !peerDependenciesMeta?.[peer]?.optional,
    );
    for (const needed of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
      const at = installedAt(needed, path);
      // What is optional may be for another platform.
      if (at === undefined) expect(optionalDependencies, `${needed} of ${path}`).toHaveProperty([needed]);
      else waiting.push({ name: needed, path: at });
    }
  }
  return names;
}

it("a production install of @centroid/broker brings nothing that only rooms, pages or bots need", () => {
  const closure = productionClosure("server/broker");
  expect([...closure]).toEqual(
    expect.arrayContaining(["@centroid/protocol", "@centroid/placement", "fastify"]),
  );
  expect(NOT_FOR_A_BROKER.filter((name) => closure.has(name))).toEqual([]);
});

it("whoever hosts or writes rooms does not get the model of the demo that sees", () => {
  const model = ["@vladmandic/face-api", "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "jpeg-js"];
  expect(Object.keys(packages)).toEqual(expect.arrayContaining(model.map((name) => `node_modules/${name}`)));
  const closures = ["server", "infra", "client/demo"].map(productionClosure);
  expect(model.filter((name) => closures.some((closure) => closure.has(name)))).toEqual([]);
});

it("sees what an agent's install brings", () => {
  expect(productionClosure("infra/agent")).toContain("@colyseus/core");
});
