/** The command line as a person meets it: help, mistakes, exit codes, and every operator's command. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { Cli, type RunningCli } from "../support/run-cli.js";

const DOCS = join(import.meta.dirname, "../../docs");

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.create();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

describe("mistakes are one line with the remedy and an exit code", () => {
  it("unknown options and commands", async () => {
    expect(await cli.run(["up", "--prot", "1"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("Did you mean --port"),
    });
    expect(await cli.run(["rums"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("Did you mean rooms"),
    });
  });

  it("unknown configuration keys name the nearest known one", async () => {
    await writeFile(join(cli.folder, "centroid.config.ts"), "export default { prot: 1 };");
    const { code, err } = await cli.run(["up"]);
    expect(code).toBe(2);
    expect(err).toMatch(/centroid\.config\.ts.*unknown key "prot".*"port"/);
    await writeFile(join(cli.folder, "centroid.config.ts"), "export default {};");
    expect((await cli.run(["up"], { CENTROID_PORT: "many" })).err).toMatch(/^error port: .*number/);
  });

  it("a port in use is named before anything starts, with how to change it", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const { code, err } = await cli.run(["up", "--port", String(port)]);
    taken.close();
    expect(code).toBe(6);
    expect(err).toContain(`port ${port} on 127.0.0.1 is in use; choose another with --port or CENTROID_PORT`);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  it("rooms that do not compile, and a folder without rooms", async () => {
    await mkdir(join(cli.folder, "broken"), { recursive: true });
    await writeFile(join(cli.folder, "broken", "duel.ts"), "export default class {");
    expect(await cli.run(["up", "--rooms", "broken", "--port", "0"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/duel\.ts:\d+/),
    });
    await mkdir(join(cli.folder, "empty"), { recursive: true });
    expect((await cli.run(["up", "--rooms", "empty", "--port", "0"])).err).toContain("no room files");
  });

  it("no broker", async () => {
    const asked = await cli.run(["rooms", "--broker", "http://127.0.0.1:9"]);
    expect(asked).toMatchObject({ code: 3, err: expect.stringContaining("centroid up") });
    const json = await cli.run(["hosts", "--json", "--broker", "http://127.0.0.1:9"]);
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: "NO_HOST" } });
  });
});

it("doctor tells what this machine can do", async () => {
  const { code, out } = await cli.run(["doctor", "--json"]);
  expect(code).toBe(0);
  const { findings } = JSON.parse(out) as { findings: { name: string; ok: boolean; remedy?: string }[] };
  expect(findings.find(({ name }) => name === "Node")).toMatchObject({ ok: true });
  for (const finding of findings) if (!finding.ok) expect(finding.remedy).toBeTruthy();
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["uWebSockets.js", "Redis", "libvirt", "KVM", "rooms in VMs", "Chromium"]),
  );
});

it("every command of docs/cli.md exists, and the configuration file of docs/configuration.md is valid", async () => {
  const { readFile } = await import("node:fs/promises");
  const help = (await cli.run(["--help"])).out;
  const named = [...(await readFile(join(DOCS, "cli.md"), "utf8")).matchAll(/`centroid (\w+)/g)].map(
    ([, name]) => name,
  );
  for (const name of new Set(named)) expect(help).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
  const { loadConfig } = await import("../../server/cli/dist/config/config.js");
  const block = codeBlocks(join(DOCS, "configuration.md")).find(
    ({ title }) => title === "centroid.config.ts",
  );
  const folder = join(cli.folder, "documented");
  await mkdir(folder);
  await writeFile(join(folder, "centroid.config.ts"), block?.code ?? "");
  const config = await loadConfig({}, { cwd: folder, env: {} });
  expect(config).toMatchObject({
    port: 2567,
    rooms: join(folder, "rooms"),
    hosts: [{ hostId: "fra" }, { hostId: "iad" }],
  });
  expect(await loadConfig({ port: 1 }, { cwd: folder, env: { CENTROID_PORT: "2" } })).toMatchObject({
    port: 1,
  });
  expect(await loadConfig({}, { cwd: folder, env: { CENTROID_PORT: "2" } })).toMatchObject({ port: 2 });
});

describe("with a broker", () => {
  let up: RunningCli;
  let env: Record<string, string>;
  beforeAll(async () => {
    const stateDir = { CENTROID_STATE_DIR: join(cli.folder, "fresh") };
    up = cli.start(["up", "--port", "0", "--emulate", "--hosts", "3"], stateDir);
    const [, url = ""] = await up.says(/(http:\S+)/);
    env = { CENTROID_BROKER: url, ...stateDir };
    await up.says(/admin token \S+ /);
  });

  it("prints the admin token once and keeps it for its owner only", async () => {
    expect(up.out.match(/admin token \S{16,}/g)).toHaveLength(1);
    const { mode } = await stat(join(cli.folder, "fresh", "admin-token"));
    expect(mode & 0o777).toBe(0o600);
  });

  it("rooms, hosts, why, move, drain, activate", async () => {
    const client = new CentroidClient(env.CENTROID_BROKER ?? "", {
      network: "frankfurt",
      measureFirst: true,
    });
    const room = await client.joinOrCreate("arena");
    const hosts = JSON.parse((await cli.run(["hosts", "--json"], env)).out) as { hostId: string }[];
    expect(hosts).toHaveLength(3);
    expect((await cli.run(["rooms"], env)).out).toMatch(
      new RegExp(`${room.roomId}\\s+arena\\s+\\S+\\s+running\\s+1`),
    );
    expect((await cli.run(["why", room.roomId], env)).out).toMatch(/J[\s\S]*frankfurt/);
    // What the terminal prints can be pasted, whole or its beginning.
    const [, printed = ""] = await up.says(/placed (\S+)/);
    expect(printed).toBe(room.roomId);
    expect((await cli.run(["why", printed.slice(0, 5)], env)).out).toMatch(/J[\s\S]*frankfurt/);
    const elsewhere = hosts.find(({ hostId }) => hostId !== room.host.hostId)?.hostId ?? "";
    const moved = await cli.run(["move", room.roomId, elsewhere], env);
    expect(moved).toMatchObject({
      code: 0,
      out: expect.stringMatching(/→ \S+ in \d+ ms, froze .* 0 lost, 0 duplicated/),
    });
    expect(await cli.run(["move", "nowhere", elsewhere], env)).toMatchObject({ code: 5 });
    expect(await cli.run(["drain", elsewhere], env)).toMatchObject({
      code: 0,
      out: expect.stringContaining("draining"),
    });
    expect(await cli.run(["move", room.roomId, elsewhere, "--json"], env)).toMatchObject({ code: 6 });
    expect(await cli.run(["activate", elsewhere], env)).toMatchObject({
      code: 0,
      out: expect.stringContaining("active"),
    });
    expect(await cli.run(["drain", elsewhere, "--token", "wrong-wrong-wrong"], env)).toMatchObject({
      code: 4,
    });
    await room.leave();
    client.dispose();
    // Eleven programs start one after the other, on a machine that may be busy.
  }, 240_000);

  it("ends with Ctrl-C and leaves no process behind", async () => {
    await up.kill("SIGINT");
    expect(await up.exited).toBe(0);
    // esbuild's own process sees the end of its pipe a moment after the program is gone.
    await expect.poll(() => up.left, { interval: 20 }).toBe(false);
  });
});

it("the demo shows a room placed and moved, and its bots notice nothing; its processes end even if it is killed", async () => {
  const demo = cli.start(["demo", "--port", "0", "--players", "8", "--games", "2"]);
  await demo.says(/map +http:/);
  await demo.says(/placed/);
  await demo.says(/moved .*→.*froze [\d.]+ ms, nothing lost/);
  // Only the parent: the others must see that it is gone.
  process.kill(demo.child.pid ?? 0, "SIGKILL");
  await demo.exited;
  await expect.poll(() => demo.left).toBe(false);
}, 120_000);
