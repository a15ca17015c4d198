/** `centroid simulate` on files as they lie on disk: a folder of slices, one of them gzipped, beside other files. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cli } from "../support/run-cli.js";

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.create();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** Six nodes on a line, in seconds, a little farther apart in each slice. */
const slice = (n: number): string =>
  Array.from({ length: 6 }, (_, i) =>
    Array.from({ length: 6 }, (_, j) => (Math.abs(i - j) * (0.02 + n / 1_000)).toFixed(4)).join(" "),
  ).join("\n");
const SHORT = ["--hosts", "2", "--rooms", "1", "--players", "2", "--steps", "4", "--policy", "never"];

describe("centroid simulate --rtt", () => {
  it("takes a folder as slices over time, in the order of their numbers", async () => {
    const folder = join(cli.folder, "slices");
    await mkdir(folder);
    for (let n = 1; n <= 12; n++) await writeFile(join(folder, `rtt_${n}`), slice(n));
    await writeFile(join(folder, "rtt_13.gz"), gzipSync(slice(13)));
    await writeFile(join(folder, "README.md"), "Round trips of a line.");
    const { code, out } = await cli.run(["simulate", "--rtt", folder, ...SHORT]);
    expect(code).toBe(0);
    expect(out).toContain(
      "13 slices, each a square matrix: 6 nodes, seconds (by size), 0 of 30 pairs missing",
    );
  });

  it("names the choices where a file can be read two ways, and takes the chosen one", async () => {
    const file = join(cli.folder, "near.csv");
    await writeFile(file, "0,0.6,0.7,0.7\n0.6,0,0.8,0.7\n0.7,0.8,0,0.7\n0.7,0.7,0.7,0");
    const asked = await cli.run(["simulate", "--rtt", file, ...SHORT]);
    expect(asked.code).not.toBe(0);
    expect(asked.err).toMatch(/--unit s or --unit ms/);
    expect((await cli.run(["simulate", "--rtt", file, "--unit", "ms", ...SHORT])).out).toContain(
      "ms (as asked)",
    );
  });
});
