/** Every block of docs/sdk.md runs against real hosts: in Node as a program, in Chromium as a page. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Room } from "@centroid/protocol";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium } from "../support/chromium.js";
import { ADMIN_TOKEN, HOSTS, LiveSystem } from "../support/live-system.js";
import { codeBlocks } from "../support/markdown.js";

const ROOT = join(import.meta.dirname, "../..");
const OUT = join(ROOT, "test/artifacts/sdk-docs");
const blocks = new Map(codeBlocks(join(ROOT, "docs/sdk.md")).map((block) => [block.title, block.code]));
const executed = new Set<string>();

function block(title: string): string {
  const code = blocks.get(title);
  if (code === undefined) throw new Error(`docs/sdk.md has no block ${title}`);
  executed.add(title);
  return code;
}

let system: LiveSystem;
let browser: Browser;
const pages = new Map<string, string>();
let server: Server;

beforeAll(async () => {
  await mkdir(OUT, { recursive: true });
  system = await LiveSystem.start({ autoMove: false }, HOSTS.slice(0, 2));
  browser = await launchChromium();
  server = createServer(({ url }, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end(pages.get(url ?? "") ?? ""),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  await browser?.close();
  server?.close();
  await system?.[Symbol.asyncDispose]();
});

/** Serves a block as a page and opens it; its broker is the one of this test. */
async function open(title: string, body = ""): Promise<{ page: Page; errors: string[] }> {
  const { outputFiles } = await build({
    stdin: {
      contents: block(title).replaceAll("location.origin", JSON.stringify(system.broker.url)),
      resolveDir: ROOT,
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
  });
  const script = outputFiles[0]?.text.replaceAll("</script", "<\\/script") ?? "";
  // As a page is made: what it shows first, or the script first if that defines it.
  pages.set(`/${title}`, `<!doctype html><body>${body}<script type="module">${script}</script></body>`);
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${title}`);
  return { page, errors };
}

const api = async <T>(path: string, init?: RequestInit): Promise<T> => {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
  const response = await fetch(`${system.broker.url}/api/v1${path}`, { ...init, headers });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
};

/** The one room there is. */
async function onlyRoom(): Promise<Room> {
  const rooms = await api<Room[]>("/rooms");
  expect(rooms).toHaveLength(1);
  return rooms[0]!;
}

/** @returns the host it left */
async function moveToOther({ roomId, hostId: from }: Room): Promise<string> {
  const hostId = from === "frankfurt" ? "virginia" : "frankfurt";
  await api(`/rooms/${roomId}/move`, { method: "POST", body: JSON.stringify({ hostId }) });
  return from;
}

const noRoom = (): Promise<void> => expect.poll(() => api<Room[]>("/rooms")).toEqual([]);

it("browser: joins, shows, sends, and follows a move", async () => {
  const { page, errors } = await open("browser.ts");
  await expect.poll(() => page.title()).toMatch(/^hello \d+$/);
  const moved = page.waitForEvent("console", { predicate: (message) => /^moved to/.test(message.text()) });
  await moveToOther(await onlyRoom());
  expect((await moved).text()).toMatch(/lost 0$/);
  await page
    .locator("centroid-hud dd")
    .filter({ hasText: /^\d+ ms$/ })
    .first()
    .waitFor();
  expect(errors).toEqual([]);
  await page.close();
  await noRoom();
});

it("three.js: one body per player, the same ones after a move", async () => {
  const { page, errors } = await open("three.ts");
  await expect.poll(() => page.title()).toBe("1 bodies");
  const second = await system.player("second", "frankfurt");
  const room = await second.joinById((await onlyRoom()).roomId);
  await expect.poll(() => page.title()).toBe("2 bodies");
  const moved = new Promise((resolve) => room.onMigrate(resolve));
  await moveToOther(await onlyRoom());
  await moved;
  const third = await (await system.player("third", "frankfurt")).joinById(room.roomId);
  await expect.poll(() => page.title()).toBe("3 bodies");
  expect(errors).toEqual([]);
  await Promise.all([room.leave(), third.leave()]);
  await page.close();
  await noRoom();
});

it("A-Frame: one sphere per player, and the scene hears of a move", async () => {
  const { page, errors } = await open("aframe.js", block("aframe.html"));
  await expect.poll(() => page.locator("a-sphere[id^=player-]").count()).toBe(1);
  const heard = page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        document
          .querySelector("a-scene")
          ?.addEventListener("room-moved", (event) => resolve((event as CustomEvent).detail.host));
      }),
  );
  await moveToOther(await onlyRoom());
  expect(await heard).toMatch(/Frankfurt|Virginia/);
  expect(await page.locator("a-sphere[id^=player-]").count()).toBe(1);
  expect(errors).toEqual([]);
  await page.close();
  await noRoom();
});

interface Program {
  child: ChildProcess;
  says(pattern: RegExp): Promise<void>;
  ended: Promise<number | null>;
  text(): string;
}

async function run(title: string, args: string[] = []): Promise<Program> {
  const file = join(OUT, title.replace(/\.ts$/, ".mts"));
  await rm(file, { force: true });
  await writeFile(file, block(title));
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], {
    cwd: ROOT,
    env: { ...process.env, CENTROID_BROKER: system.broker.url },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      text += data.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return {
    child,
    ended,
    text: () => text,
    says: async (pattern) => {
      await expect.poll(() => text).toMatch(pattern);
    },
  };
}

it("Node: a bot talks and leaves", async () => {
  const bot = await run("bot.ts");
  expect([await bot.ended, bot.text()]).toEqual([
    0,
    expect.stringMatching(/said \d+ things to a room in \w+, tick \d+/),
  ]);
});

it("a stock Colyseus client is served through a move, and finds the room through the broker afterwards", async () => {
  const other = await (await system.player("other", "frankfurt")).joinOrCreate<{
    entries: Map<string, { connected: boolean }>;
  }>("ledger");
  const stock = await run("stock.mjs", [other.roomId]);
  await stock.says(/joined/);
  const connected = () => [...other.state.entries.values()].filter((entry) => entry.connected).length;
  await expect.poll(connected).toBe(2);
  const moved = new Promise((resolve) => other.onMigrate(resolve));
  const old = await moveToOther(await onlyRoom());
  await moved;
  // Forwarding ends with the old host's process.
  await system.agents.get(old)?.[Symbol.asyncDispose]();
  await stock.says(/back/);
  await expect.poll(connected).toBe(2);
  stock.child.kill("SIGTERM");
  await stock.ended;
  await other.leave();
});

it("no block is left out", () => {
  expect([...blocks.keys()].sort()).toEqual([...executed].sort());
});
