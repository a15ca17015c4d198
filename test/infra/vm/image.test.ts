/** The guest image: the same inputs give the same bytes, within the size it may have. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuestImage, readGuestImage } from "@centroid/infra";
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

  it("does not count while its manifest is missing", async () => {
    rmSync(join(directory, "manifest.json"));
    expect(await readGuestImage(directory)).toBeUndefined();
  });
});
