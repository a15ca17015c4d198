/** A store's folder belongs to one broker, is nobody else's to read, and a bad one says what to do. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startBroker } from "@centroid/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FolderLock } from "../../server/broker/dist/store/folder-lock.js";
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

  it("is written by who waited when the process before is killed, also if that had not seen it wait", async () => {
    const lock = pathToFileURL(
      join(import.meta.dirname, "../../server/broker/dist/store/folder-lock.js"),
    ).href;
    const program = `
      const { FolderLock } = await import(${JSON.stringify(lock)});
      await FolderLock.takeToWrite(${JSON.stringify(folder)}, 10_000);
      console.log("mine");
      setInterval(() => undefined, 1_000);`;
    const earlier = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(earlier.stdout, "data");
    earlier.kill("SIGSTOP");
    const mine = FolderLock.takeToWrite(folder, 30_000);
    const { dev, ino } = await stat(folder, { bigint: true });
    const ends = async (): Promise<number> =>
      (await readFile("/proc/net/unix", "utf8")).split(`@centroid-store-${dev}-${ino}-writer`).length - 1;
    // Its own, and that of the connection which nobody takes.
    if (process.platform === "linux") await expect.poll(ends, { timeout: 30_000 }).toBeGreaterThan(1);
    earlier.kill("SIGKILL");
    await using _ = await mine;
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
