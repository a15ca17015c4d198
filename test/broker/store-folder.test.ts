/** A store's folder belongs to one broker, is nobody else's to read, and a bad one says what to do. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "@centroid/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogFile } from "../../server/broker/dist/log-file.js";
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

describe("the log beside it", () => {
  it("keeps the newest lines in a few files of bounded size, for its owner only", async () => {
    const path = join(folder, "broker.log");
    using log = new LogFile(path, { maxBytes: 100, kept: 2 });
    for (let line = 0; line < 100; line++) log.write(`line ${String(line).padStart(4, "0")}\n`);
    expect((await readdir(folder)).sort()).toEqual(["broker.log", "broker.log.1", "broker.log.2"]);
    const sizes = await Promise.all(["", ".1", ".2"].map(async (age) => stat(path + age)));
    for (const { size, mode } of sizes) expect([size <= 110, mode & 0o777]).toEqual([true, 0o600]);
    expect((await readFile(path, "utf8")).trimEnd().split("\n").at(-1)).toBe("line 0099");
  });

  it("that cannot be written costs its lines, and goes on when it can", async () => {
    const path = join(folder, "gone", "broker.log");
    await writeFile(join(folder, "gone"), "");
    using log = new LogFile(path);
    log.write("lost\n");
    expect(log.dropped).toBe(1);
    await rm(join(folder, "gone"));
    log.write("kept\n");
    expect(await readFile(path, "utf8")).toBe("kept\n");
  });
});
