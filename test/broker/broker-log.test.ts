/** What a broker says of itself: files of bounded size in its folder, as much as was asked for, errors aloud. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrokerLog } from "@centroid/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogFile } from "../../server/broker/dist/log-file.js";
import { freePort } from "../support/free-port.js";
import { TestRedis } from "../support/redis.js";
import { Cli } from "../support/run-cli.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-log-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a log file", () => {
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

it.each([
  ["info", false],
  ["debug", true],
] as const)("has what its level says (%s)", async (level, has) => {
  const file = join(folder, "broker.log");
  await using log = openBrokerLog({ file, level });
  log.debug({}, "a detail");
  log.error({ cause: new Error("the reason") }, "a failure");
  const text = await readFile(file, "utf8");
  expect([text.includes("a detail"), text.includes("the reason")]).toEqual([has, true]);
});

it("is in the state folder for a broker on Redis, whose failures are on standard error, too", async () => {
  await using cli = await Cli.create();
  const redis = await TestRedis.start();
  const port = await freePort();
  const args = ["up", "--hosts", "0", "--port", String(port), "--redis", redis.url, "--state-dir", folder];
  const up = cli.start(args, { CENTROID_TOKEN: "test-admin-token-0123" });
  try {
    await up.says(new RegExp(`http://127.0.0.1:${port}`));
    const headers = { authorization: "Bearer test-admin-token-0123", "content-type": "application/json" };
    await fetch(`http://127.0.0.1:${port}/api/v1/hosts/nowhere/drain`, {
      method: "POST",
      headers,
      body: "{}",
    });
  } finally {
    await redis[Symbol.asyncDispose]();
  }
  const text = (): Promise<string> => readFile(join(folder, `broker-${port}.log`), "utf8");
  expect(await text()).toContain('"audit":true');
  await expect.poll(() => up.err).toContain('"level":40');
  expect(up.err).not.toContain('"audit":true');
});
