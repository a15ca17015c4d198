/** The first minutes of somebody who has just cloned this: the literal commands, in a clone of what is committed. */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../support/free-port.js";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const SLOW_MS = 300_000;
const NODE_MAJOR = Number(process.versions.node.split(".")[0]);

let folder: string;
let clone: string;
let installed: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-clone-"));
  clone = join(folder, "centroid");
  await exec("git", ["clone", "--quiet", ROOT, clone]);
  const { stdout, stderr } = await bash("npm ci --prefer-offline --no-audit --no-fund");
  installed = stdout + stderr;
}, SLOW_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

const env = () => ({ ...process.env, XDG_STATE_HOME: join(folder, "state"), NO_COLOR: "1" });
const bash = (command: string, cwd = clone) => exec("bash", ["-c", command], { cwd, env: env() });

it("npm install warns of nothing that this project decides about", () => {
  const warnings = installed.split("\n").filter((line) => line.startsWith("npm warn"));
  // Colyseus and Fastify ask for Node 22; the version recommended here has no such lines.
  const ours = warnings.filter((line) => NODE_MAJOR >= 22 || !line.includes("EBADENGINE"));
  expect(ours).toEqual([]);
});

it(
  "the first command builds and says so on stderr; the next ones are quick and quiet",
  async () => {
    const first = await bash("npx centroid --version");
    expect(first.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(first.stderr).toMatch(/built once before its first command/);
    const second = await bash("npx centroid doctor --json");
    expect(JSON.parse(second.stdout)).toHaveProperty("findings");
    expect(second.stderr).toBe("");
  },
  SLOW_MS,
);

it(
  "npx create-centroid makes a project beside the checkout, which depends on it",
  async () => {
    const { stdout } = await bash("npx create-centroid ../my-game --no-install");
    expect(stdout).toMatch(/my-game is ready/);
    const made = await exec("npm", ["pkg", "get", "dependencies"], { cwd: join(folder, "my-game") });
    expect(made.stdout).toContain(`file:${join(clone, "server")}`);
  },
  SLOW_MS,
);

it(
  "npm start shows rooms; Ctrl-C in its terminal leaves no process",
  async () => {
    const demo = spawn("npm", ["start", "--", "--port", String(await freePort())], {
      cwd: clone,
      env: env(),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const exited = new Promise<number | null>((resolve) => demo.once("close", resolve));
    let out = "";
    const placed = new Promise<void>((resolve, reject) => {
      for (const stream of [demo.stdout, demo.stderr])
        stream.on("data", (data: Buffer) => {
          out += data.toString();
          if (/placed \S{12} /.test(out)) resolve();
        });
      void exited.then((code) => reject(new Error(`npm start ended (${code}):\n${out}`)));
    });
    await placed;
    process.kill(-(demo.pid ?? 0), "SIGINT");
    await exited;
    expect(out).toMatch(/stopping: \d+ rooms? to end, with their hooks/);
    const left = (): boolean => {
      try {
        process.kill(-(demo.pid ?? 0), 0);
        return true;
      } catch {
        return false;
      }
    };
    await expect.poll(left, { interval: 20 }).toBe(false);
  },
  SLOW_MS,
);

it(
  "npm test -- FILE runs that file, without looking for system packages",
  async () => {
    const { stdout } = await bash("npm test -- test/room-host/native-transport.test.ts");
    expect(stdout).toMatch(/Tests .*3 passed/);
    expect(stdout).not.toMatch(/apt-get|installing/);
  },
  SLOW_MS,
);
