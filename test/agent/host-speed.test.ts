/** How fast this machine is: measured once, by whoever is first, and kept for all agents of the user. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hostSpeed } from "../../infra/agent/dist/speed/host-speed.js";

let folder: string;
const never = new AbortController().signal;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "speed-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function measuredIn(name: string) {
  await mkdir(join(folder, name));
  return hostSpeed(never, join(folder, name));
}

it("is measured once by agents that start together, and read after that", async () => {
  const speeds = await Promise.all([1, 2, 3].map(() => hostSpeed(never, folder)));
  const [first] = speeds;
  for (const speed of speeds) expect(speed).toEqual(first);
  expect(first?.cores).toBe(availableParallelism());
  expect(first?.oneCore).toBeGreaterThan(0);
  expect(first?.allCores).toBeGreaterThanOrEqual(first?.oneCore ?? 0);
  const [file = ""] = await readdir(folder);
  expect(await readdir(folder)).toEqual([file]);
  const kept = { oneCore: 7, allCores: 9, cores: 3 };
  await writeFile(join(folder, file), JSON.stringify(kept));
  expect(await hostSpeed(never, folder)).toEqual(kept);
  // What cannot be read is measured anew.
  await writeFile(join(folder, file), '{"oneCore":');
  expect((await hostSpeed(never, folder)).cores).toBe(availableParallelism());
});

it("leaves the lock of another agent alone, and clears away one that was given up", async () => {
  const measuring = hostSpeed(never, folder);
  const lock = async (): Promise<string | undefined> =>
    (await readdir(folder)).find((name) => name.endsWith(".lock"));
  await expect.poll(lock, { interval: 5 }).toBeDefined();
  const path = join(folder, (await lock()) ?? "");
  // This one was slow, so the other began as well.
  await writeFile(path, "another agent");
  await measuring;
  expect(await readFile(path, "utf8")).toBe("another agent");
  const file = path.slice(folder.length + 1, -".lock".length);
  await rm(join(folder, file));
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(path, longAgo, longAgo);
  await hostSpeed(never, folder);
  expect(await readdir(folder)).toEqual([file]);
});

it("is the same while other programs want the cores", async () => {
  const quiet = await measuredIn("quiet");
  const others = Array.from({ length: 3 * availableParallelism() }, () =>
    spawn(process.execPath, ["-e", "console.log(1); for (;;);"]),
  );
  try {
    await Promise.all(others.map(({ stdout }) => once(stdout, "data")));
    const busy = await measuredIn("busy");
    expect(busy.oneCore / quiet.oneCore).toBeGreaterThan(0.5);
    expect(busy.allCores / quiet.allCores).toBeGreaterThan(0.5);
  } finally {
    for (const child of others) child.kill("SIGKILL");
    await Promise.all(others.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  }
}, 60_000);

it("is given up when the agent ends", async () => {
  const ended = new AbortController();
  const measuring = hostSpeed(ended.signal, folder);
  ended.abort();
  await expect(measuring).rejects.toThrow(/abort/i);
  expect(await readdir(folder)).toEqual([]);
});
