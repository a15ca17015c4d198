/** The guest image: the same inputs give the same bytes, within the size it may have. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuestImage, readGuestImage } from "@centroid/vm-carrier";
import { afterAll, describe, expect, it } from "vitest";
import { hypervisorProblem, testImage } from "./support.js";

const problem = await hypervisorProblem("guest image tier");
const mebibyte = 2 ** 20;

describe.skipIf(problem !== undefined)("guest image", () => {
  const directory = mkdtempSync(join(tmpdir(), "centroid-image-test-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  it("is reproducible, small, and built only once for the same inputs", async () => {
    const known = await testImage();
    const steps: string[] = [];
    const again = await buildGuestImage({ directory, onStep: (step) => steps.push(step) });
    expect(steps).toContain("compressing");
    expect(again.hash).toBe(known.hash);
    expect(again.bytes).toBeLessThan(60 * mebibyte);
    expect(readFileSync(again.initramfsPath).equals(readFileSync(known.initramfsPath))).toBe(true);

    steps.length = 0;
    expect(await buildGuestImage({ directory, onStep: (step) => steps.push(step) })).toEqual(again);
    expect(steps).not.toContain("compressing");
  });

  it("is another one for another program", async () => {
    const before = await readGuestImage(directory);
    const program = join(directory, "other.mjs");
    writeFileSync(program, "console.log(1);\n");
    const other = await buildGuestImage({ directory, program });
    expect(other.inputHash).not.toBe(before!.inputHash);
    expect(other.hash).not.toBe(before!.hash);
  });

  it("comes from Debian's own lists on a machine that has fetched none", async () => {
    const bare = join(directory, "bare");
    const lists = join(bare, "lists");
    mkdirSync(join(lists, "partial"), { recursive: true });
    const config = join(bare, "apt.conf");
    writeFileSync(
      config,
      `Dir::State::lists "${lists}"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";`,
    );
    const steps: string[] = [];
    process.env.APT_CONFIG = config;
    try {
      const known = await testImage();
      const built = await buildGuestImage({ directory: bare, onStep: (step) => steps.push(step) });
      expect(steps).toContain("fetching Debian's package lists");
      expect(built.hash).toBe(known.hash);
    } finally {
      delete process.env.APT_CONFIG;
    }
    // The machine's lists are as they were.
    expect(readdirSync(lists)).toEqual(["partial"]);
  });

  it("does not count while its manifest is missing", async () => {
    rmSync(join(directory, "manifest.json"));
    expect(await readGuestImage(directory)).toBeUndefined();
  });
});
