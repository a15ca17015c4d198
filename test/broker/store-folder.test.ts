/** A store's folder belongs to one broker, is nobody else's to read, and a bad one says what to do. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "@centroid/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QUICK } from "./support/world.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-folder-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a broker's folder", () => {
  it("is not shared: the second one is told who is there, until that one has ended", async () => {
    const storeDir = join(folder, "store");
    const first = await startBroker({ ...QUICK, storeDir });
    await symlink(storeDir, join(folder, "alias"));
    await expect(startBroker({ ...QUICK, storeDir: join(folder, "alias") })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(new RegExp(`process ${process.pid} \\(a broker on port .*--state-dir`)),
    });
    await first[Symbol.asyncDispose]();
    await using _ = await startBroker({ ...QUICK, storeDir });
  });

  it("that is a file, or a part of whose path is one, says so", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(startBroker({ ...QUICK, storeDir: join(folder, "file") })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/there is a file of that name.*--state-dir/),
    });
    await expect(startBroker({ ...QUICK, storeDir: join(folder, "file/store") })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/(ENOTDIR|EEXIST).*--state-dir/),
    });
  });

  it.each([
    ["full", "size=64k", "CONFIG_INVALID", /ENOSPC.*free some space.*--state-dir/],
    ["read-only", "ro", "CONFIG_INVALID", /EROFS.*mount it for writing.*--state-dir/],
    [
      "too small for a store",
      "size=900k",
      "STORE_UNAVAILABLE",
      /store cannot be written \(ENOSPC\).*free some space/,
    ],
  ])("that is %s says what to do", async (what, option, code, words) => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", option, "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return;
    }
    try {
      if (what === "full")
        await writeFile(join(folder, "ballast"), Buffer.alloc(100_000)).catch(() => undefined);
      await expect(startBroker({ ...QUICK, storeDir: join(folder, "store") })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(words),
      });
    } finally {
      execFileSync("umount", [folder]);
    }
  });
});
