/** What is installed is what was looked at: native binaries by their hashes, everything else by the lock file. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const UWS = join(ROOT, "node_modules/uWebSockets.js");
const record = JSON.parse(readFileSync(join(import.meta.dirname, "uws-binaries.json"), "utf8")) as {
  package: string;
  sha256: Record<string, string>;
  second: { package: string; sha256: Record<string, string> };
};

it("uWebSockets.js' binaries are those on record", () => {
  const { version } = JSON.parse(readFileSync(join(UWS, "package.json"), "utf8")) as { version: string };
  expect(`uwebsockets@${version}`).toBe(record.package);
  const found = readdirSync(UWS).filter((name) => name.endsWith(".node"));
  expect(
    Object.fromEntries(
      found.map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(UWS, name)))
          .digest("hex"),
      ]),
    ),
  ).toEqual(record.sha256);
});

it("the second source has the same platforms and not one equal binary, as SECURITY.md says", () => {
  const shared = Object.keys(record.second.sha256).filter((name) => name in record.sha256);
  expect(shared).toEqual(Object.keys(record.second.sha256));
  expect(shared.filter((name) => record.sha256[name] === record.second.sha256[name])).toEqual([]);
});

it("npm names everything that is installed, with its hash", () => {
  const text = execFileSync(
    "npm",
    ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--omit=dev"],
    {
      cwd: ROOT,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const { bomFormat, components } = JSON.parse(text) as {
    bomFormat: string;
    components: { name: string; version: string; hashes?: { alg: string; content: string }[] }[];
  };
  expect(bomFormat).toBe("CycloneDX");
  const { workspaces } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    workspaces: string[];
  };
  const own = new Set(workspaces.map((folder) => basename(folder)));
  const outside = components.filter(({ name }) => !own.has(basename(name)));
  expect(outside.length).toBeGreaterThan(50);
  expect(outside.filter(({ hashes }) => hashes?.[0]?.alg !== "SHA-512").map(({ name }) => name)).toEqual([]);
});
