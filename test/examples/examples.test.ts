/** Every example runs: rooms of one system, players in Node, pages in Chromium, and all of them follow a move. */

import { execFile, spawn } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Room } from "@centroid/protocol";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { orderMove } from "../support/order-move.js";
import { Cli, RunningCli } from "../support/run-cli.js";
import { context3d, launch3d, picture } from "../support/three-d.js";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const ARTIFACTS = join(ROOT, "test/artifacts/examples");
const PAGES = ["three", "aframe", "react"];
/** Three pages with software drawing share the cores with everything else. */
const SLOW_MS = 180_000;
const TOKEN = "example-admin-token-0123";

let cli: Cli;
let browser: Browser;
const started: RunningCli[] = [];
beforeAll(async () => {
  cli = await Cli.create();
  browser = await launch3d();
  await rm(ARTIFACTS, { recursive: true, force: true });
  // One system serves all pages, each from a folder of its own.
  for (const page of PAGES)
    await exec("npx", ["vite", "build", "--outDir", join(ARTIFACTS, page), "--logLevel", "error"], {
      cwd: join(EXAMPLES, page),
    });
});
afterAll(async () => {
  await browser?.close();
  for (const one of started) await one.kill("SIGKILL");
  await cli?.[Symbol.asyncDispose]();
});

/** `centroid up` with two cities. */
async function up(rooms: string, ...more: string[]): Promise<string> {
  const args = ["up", "--rooms", join(EXAMPLES, rooms), "--emulate", "--hosts", "2", "--port", "0"];
  const running = cli.start([...args, ...more], { CENTROID_TOKEN: TOKEN });
  const [, url = ""] = await running.says(/(http:\/\/127\.0\.0\.1:\d+)/);
  return url;
}

function play(example: string, url: string): RunningCli {
  const running = new RunningCli(
    spawn(process.execPath, ["play.mjs"], {
      cwd: join(EXAMPLES, example),
      env: { ...process.env, CENTROID_BROKER: url },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    }),
  );
  started.push(running);
  return running;
}

/** Moves the only room to the other host, again if it was just moving by itself. @returns that host's name */
async function moveRoom(url: string): Promise<string> {
  const read = async <T>(what: string): Promise<T> =>
    (await (await fetch(`${url}/api/v1/${what}`)).json()) as T;
  const { name } = await orderMove(url, TOKEN, async () => {
    const [room] = await read<[Room]>("rooms");
    const hosts = await read<{ hostId: string; name: string }[]>("hosts");
    const { hostId, name } = hosts.find((host) => host.hostId !== room.hostId)!;
    return { roomId: room.roomId, hostId, name };
  });
  return name;
}

it("every folder is in the list and says how it is run", async () => {
  const folders = (await readdir(EXAMPLES, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const list = await readFile(join(EXAMPLES, "README.md"), "utf8");
  for (const { name } of folders) {
    expect(list).toContain(`(${name}/README.md)`);
    const commands = codeBlocks(join(EXAMPLES, name, "README.md")).map(({ code }) => code);
    expect(commands.join("")).toMatch(/^npx centroid up --rooms \S+/m);
  }
});

it("the duel is the README's, letter for letter", async () => {
  const blocks = codeBlocks(join(ROOT, "README.md")).filter(({ title }) => title !== undefined);
  expect(blocks).toHaveLength(2);
  for (const { title, code } of blocks)
    expect(await readFile(join(EXAMPLES, "duel", title!), "utf8")).toBe(code);
});

it("a stock client counts on through a move", async () => {
  const url = await up("stock-client/rooms");
  const player = play("stock-client", url);
  await player.says(/counted to [1-9]/);
  await moveRoom(url);
  const before = Number(/counted to (\d+)\s*$/.exec(player.out)?.[1]);
  await expect.poll(() => Number(/counted to (\d+)\s*$/.exec(player.out)?.[1])).toBeGreaterThan(before);
});

it("a room that sees goes on seeing through a move", async () => {
  const url = await up("vision/rooms");
  const player = play("vision", url);
  await player.says(/picture \d+: 2 faces/);
  const name = await moveRoom(url);
  await player.says(new RegExp(`moved to ${name}, lost 0, doubled 0[\\s\\S]*picture \\d+: 2 faces`));
}, 60_000);

it(
  "pages show who is in the duel, walk, and follow a move",
  async () => {
    const url = await up("duel/rooms", "--page", ARTIFACTS);
    const context = await context3d(browser, { viewport: { width: 900, height: 600 } });
    const errors: string[] = [];
    const open = async (name: string): Promise<Page> => {
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(`${name}: ${error.message}`));
      await page.goto(`${url}/play/${name}/`);
      return page;
    };
    const react = await open("react");
    await react.getByRole("heading", { name: "1 here" }).waitFor();
    await react.getByRole("button", { name: "→" }).click();
    await react.getByText("you: 1").waitFor();
    const three = await open("three");
    const aframe = await open("aframe");
    await react.getByRole("heading", { name: "3 here" }).waitFor();
    for (const page of [three, aframe]) {
      await expect.poll(() => page.title()).toBe("Duel: 3 here");
      await page.keyboard.press("ArrowLeft");
    }
    await expect.poll(() => react.getByText(/^\S+: -1$/).count()).toBe(2);
    expect(await aframe.locator("a-sphere").count()).toBe(3);
    const name = await moveRoom(url);
    await react.getByRole("heading", { name: `3 here, in ${name}` }).waitFor();
    await react.getByRole("button", { name: "→" }).click();
    await react.getByText("you: 2").waitFor();
    for (const page of [three, aframe])
      await page.locator("centroid-hud dd").filter({ hasText: name.toUpperCase() }).waitFor();
    for (const [page, file] of [
      [three, "three"],
      [aframe, "aframe"],
      [react, "react"],
    ] as const)
      await picture(page, join(ARTIFACTS, `${file}.png`));
    expect(errors).toEqual([]);
  },
  SLOW_MS,
);
