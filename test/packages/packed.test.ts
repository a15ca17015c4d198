/** A game developer's first hour, literally: an empty folder, the README's own commands and code blocks. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { closeServer } from "../support/close-server.js";
import { codeBlocks } from "../support/markdown.js";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const QUIET = { npm_config_audit: "false", npm_config_fund: "false", npm_config_prefer_offline: "true" };
const blocks = codeBlocks(join(ROOT, "README.md"));
const commands = blocks.filter(({ language }) => language === "sh").map(({ code }) => code.trim());

let folder: string;
let tarballs: string[];
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-packed-"));
  // As README has it: the checkout lies beside the game's folder.
  await symlink(ROOT, join(folder, "centroid"));
  const game = join(folder, "game");
  await mkdir(game);
  await exec("npm", ["init", "-y"], { cwd: game });
  const [install = ""] = commands.find((command) => command.startsWith("npm install $("))?.split("\n") ?? [];
  await exec("bash", ["-c", install], { cwd: game, env: { ...process.env, ...QUIET } });
  const packed = join(ROOT, "packed");
  tarballs = (await readdir(packed)).map((file) => join(packed, file));
  for (const { title, code } of blocks) {
    if (title === undefined) continue;
    await mkdir(dirname(join(game, title)), { recursive: true });
    await writeFile(join(game, title), code);
  }
}, 300_000);
// What one test started would take the cores from the next one.
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    // As Ctrl-C does: to the whole group, npx and what it started.
    process.kill(-(child.pid ?? 0), "SIGINT");
    await exited;
  }
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Starts a command and collects what it prints; `says` resolves with the first output that matches. */
function start(
  command: string,
  args: string[],
  env: Record<string, string> = {},
  cwd = join(folder, "game"),
): { child: ChildProcess; says: (pattern: RegExp) => Promise<RegExpExecArray> } {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, XDG_STATE_HOME: join(folder, "state"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.push(child);
  let text = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data: Buffer) => {
      text += data.toString();
      for (const wake of [...waiting]) wake();
    });
  }
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(text);
        if (found === null) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      child.once("exit", (code) =>
        reject(new Error(`${command} ended (${code}) without ${pattern}:\n${text}`)),
      );
      look();
    });
  return { child, says };
}

describe("the README's own game", () => {
  it("starts with its two commands, plays from Node and a browser, and its room follows the player", async () => {
    expect(commands).toContain(
      "npm install $(npm --prefix ../centroid run --silent pack)\nnpx centroid up --rooms ./rooms --emulate",
    );
    expect(commands).toContain("npx centroid travel me tokyo");
    const up = start("npx", ["centroid", "up", "--rooms", "./rooms", "--emulate"], {
      CENTROID_PORT: "0",
      NO_COLOR: "1",
    });
    const [, url = ""] = await up.says(/(http:\/\/127\.0\.0\.1:\d+)/);
    await up.says(/rooms: duel/);

    const game = join(folder, "game");
    const play = (blocks.find(({ title }) => title === "play.mjs")?.code ?? "").replace(
      "http://127.0.0.1:2567",
      url,
    );
    await writeFile(join(game, "play.mjs"), play);
    const env = { CENTROID_BROKER: url, NO_COLOR: "1" };
    const player = start("node", ["play.mjs"], env);
    const [, roomId = ""] = await player.says(/joined (\S+) in/);
    await player.says(/\d+ ms/);
    const travel = start("npx", ["centroid", "travel", "me", "tokyo"], env);
    await travel.says(/me is in Tokyo now/);
    await player.says(/moved from .+ to Tokyo, froze [\d.]+ ms, lost 0/);
    const [, x] = await player.says(/still at (\d+)/);
    expect(Number(x)).toBeGreaterThan(0);
    const why = start("npx", ["centroid", "why", roomId, "--json"], env);
    await why.says(/"candidates"/);

    if (!hasChromium) {
      console.log("no Chromium here: the browser part is skipped");
      return;
    }
    await inBrowser(
      play.replace('"duel"', '"duel", {}').replace('{ network: "me" }', '{ network: "you" }'),
      /joined \S+ in/,
    );
  }, 360_000);
});

describe("create-centroid", () => {
  it("makes a project that runs, tests itself and shows its page", async () => {
    const empty = join(folder, "empty");
    await mkdir(empty);
    const startedAtMs = performance.now();
    const creator = tarballs.find((file) => file.includes("create-centroid")) ?? "";
    const { stdout } = await exec(
      "npx",
      ["--yes", "--package", creator, "create-centroid", "my-game", "--no-install"],
      { cwd: empty },
    );
    expect(stdout).toMatch(/my-game is ready\.[\s\S]*cd my-game\n {2}npm install\n {2}npm start/);
    const project = join(empty, "my-game");
    // `npm install`, our packages from the tarballs instead of a registry.
    const ours = tarballs.filter((file) => file !== creator);
    await exec("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...ours], { cwd: project });
    const up = start("npm", ["start"], { CENTROID_PORT: "0", NO_COLOR: "1" }, project);
    const [, url = ""] = await up.says(/centroid (http:\/\/127\.0\.0\.1:\d+)/);
    const tookMs = performance.now() - startedAtMs;
    console.log(`from create-centroid to a running project: ${(tookMs / 1000).toFixed(0)} s`);

    await exec("npm", ["run", "check"], { cwd: project });
    const { stdout: tested } = await exec("npm", ["test"], { cwd: project });
    expect(tested).toMatch(/Tests .*1 passed/);
    if (!hasChromium) {
      console.log("no Chromium here: the page is not looked at");
      return;
    }
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${url}/play/`);
      await page.getByText(/joined \S+/).waitFor();
      await page
        .locator("centroid-hud dd")
        .filter({ hasText: /^\d+ ms$/ })
        .first()
        .waitFor();
      // On a busy machine first measurements may have put it elsewhere, even into Tokyo. There frozen moves are long,
      // and a room that came as far as Singapore rightly does not risk another one.
      await page.locator("centroid-hud dd").filter({ hasText: "FRANKFURT" }).waitFor({ timeout: 150_000 });
      await page.getByLabel("I am in").selectOption("tokyo");
      await page.getByText(/the room came from .+ to (Tokyo|Singapore)/).waitFor({ timeout: 150_000 });
    } finally {
      await browser.close();
    }
  }, 420_000);
});

/** Bundles a module as any game would, opens it in Chromium and waits for what it prints. */
async function inBrowser(source: string, expected: RegExp): Promise<void> {
  const bundle = await build({
    stdin: { contents: source, resolveDir: join(folder, "game") },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  });
  const page = `<!doctype html><script type="module">${bundle.outputFiles[0]?.text.replaceAll("</script", "<\\/script")}</script>`;
  const server = createServer((_request, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end(page),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const browser = await launchChromium();
  try {
    const tab = await browser.newPage();
    const said = tab.waitForEvent("console", {
      predicate: (message) => expected.test(message.text()),
      timeout: 60_000,
    });
    await tab.goto(`http://127.0.0.1:${port}/`);
    await said;
  } finally {
    await browser.close();
    await closeServer(server);
  }
}
