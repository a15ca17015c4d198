/** Ctrl-C as it comes in real life: twice at once under npm, before everything has started, in the middle of a game. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CentroidClient } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../support/free-port.js";
import { descendants } from "../support/processes.js";
import { Cli, type RunningCli } from "../support/run-cli.js";

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.create();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** esbuild's own process sees the end of its pipe a moment after the program is gone. */
const nothingLeft = (up: RunningCli): Promise<void> =>
  expect.poll(() => up.left, { interval: 20 }).toBe(false);

/** Two starts of everything. */
const SLOW_MS = 180_000;
const DIARY = join(import.meta.dirname, "../fixtures/diary-rooms");
const runs =
  (program: string) =>
  (pid: number): boolean =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(program);
const isAgent = runs("agent/dist/main.js");
const UNTIL_STOPPED = pathToFileURL(
  join(import.meta.dirname, "../../server/cli/dist/terminal/until-stopped.js"),
).href;
interface Snapshot {
  rooms: { roomId: string; state: string }[];
}
const snapshotOf = (line: string): Snapshot => JSON.parse(line) as Snapshot;

// A terminal's Ctrl-C and a service manager's stop both reach the agents and room hosts at the same time as the broker.
it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s to all processes at once ends rooms with their hooks, tells players, and leaves the next start nothing",
  async (signal) => {
    const port = await freePort();
    const state = { CENTROID_STATE_DIR: join(cli.folder, `orderly-${signal}`) };
    const args = ["up", "--rooms", DIARY, "--port", String(port), "--hosts", "2", "--json"];
    const up = cli.start(args, state);
    await up.says(/"type":"snapshot"/);
    // What bundled the rooms has nothing more to do.
    expect(descendants(up.child.pid ?? -1).some(runs("esbuild"))).toBe(false);
    const client = new CentroidClient(`http://127.0.0.1:${port}`, { probing: false });
    const path = join(cli.folder, `diary-${signal}.txt`);
    const room = await client.create("diary", { path });
    const left = new Promise<number>((resolve) => room.onLeave((code: number) => resolve(code)));
    await up.kill(signal);
    expect(await up.exited).toBe(0);
    // As bare Colyseus: SERVER_SHUTDOWN.
    expect(await left).toBe(4001);
    client.dispose();
    expect((await readFile(path, "utf8")).trim().split("\n")).toEqual([
      "onBeforeShutdown",
      `onLeave ${room.sessionId}`,
      "onDispose",
    ]);
    expect(up.out).toContain('{"type":"stopping","rooms":1,"keepsRooms":false}');
    expect(up.err).toBe("");
    await nothingLeft(up);

    // What is on record is the same whatever the signal was.
    if (signal !== "SIGINT") return;
    const next = cli.start(args, state);
    expect(snapshotOf((await next.says(/.*"type":"snapshot".*/))[0]).rooms).toEqual([]);
    await next.kill("SIGINT");
    expect(next.out).not.toContain('"state":"restoring"');
  },
  SLOW_MS,
);

it(
  "with --keep-rooms the next start knows the room",
  async () => {
    const port = await freePort();
    const state = { CENTROID_STATE_DIR: join(cli.folder, "kept") };
    const args = ["up", "--port", String(port), "--hosts", "1", "--json", "--keep-rooms"];
    const up = cli.start(args, state);
    await up.says(/"type":"snapshot"/);
    const client = new CentroidClient(`http://127.0.0.1:${port}`, { probing: false });
    const { roomId } = await client.create("arena");
    await up.kill("SIGINT");
    client.dispose();
    expect(up.out).toContain('{"type":"stopping","rooms":1,"keepsRooms":true}');
    const next = cli.start(args, state);
    await next.says(new RegExp(roomId));
    await next.kill("SIGINT");
  },
  SLOW_MS,
);

it("a Ctrl-C that arrives twice, as npm makes it, still ends in order", async () => {
  const up = cli.start(["up", "--port", "0", "--hosts", "2", "--json"]);
  await up.says(/"type":"snapshot"/);
  const pid = up.child.pid ?? 0;
  process.kill(-pid, "SIGINT");
  process.kill(pid, "SIGINT");
  expect(await up.exited).toBe(0);
  await nothingLeft(up);
  expect(up.err).toBe("");
});

it("a Ctrl-C during the start is no error", async () => {
  // The broker's port opens after the rooms are built and before agents are there.
  const port = await freePort();
  const up = cli.start(["up", "--port", String(port), "--hosts", "6"]);
  await expect
    .poll(
      () =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          () => true,
          () => false,
        ),
      { timeout: 30_000, interval: 10 },
    )
    .toBe(true);
  await up.kill("SIGINT");
  expect(await up.exited).toBe(0);
  expect(up.err).toBe("");
  await nothingLeft(up);
});

it("output that nobody reads any more ends the program", async () => {
  const up = cli.start(["up", "--port", "0", "--hosts", "1", "--json"]);
  await up.says(/"type":"snapshot"/);
  up.child.stdout?.destroy();
  expect(await up.exited).toBe(0);
  await nothingLeft(up);
});

it(
  "an agent that is killed is started again, which the log says, and its host takes rooms again",
  async () => {
    const port = await freePort();
    const state = { CENTROID_STATE_DIR: join(cli.folder, "supervised") };
    const args = ["up", "--rooms", DIARY, "--port", String(port), "--hosts", "1", "--json"];
    const up = cli.start(args, state);
    await up.says(/"type":"snapshot"/);
    const [agent] = descendants(up.child.pid ?? -1).filter((pid) => isAgent(pid));
    process.kill(agent ?? -1, "SIGKILL");
    await expect
      .poll(() => up.err, { timeout: 30_000 })
      .toMatch(/its agent ended \(SIGKILL\); starting it again in 0.5 s/);
    const client = new CentroidClient(`http://127.0.0.1:${port}`, { probing: false });
    const path = join(cli.folder, "supervised.txt");
    const created = (): Promise<boolean> =>
      client.create("diary", { path }).then(
        async (room) => (await room.leave()) > 0,
        () => false,
      );
    await expect.poll(created, { timeout: 60_000 }).toBe(true);
    // The one that was started later ends with the others.
    process.kill(-(up.child.pid ?? 0), "SIGINT");
    expect(await up.exited).toBe(0);
    await nothingLeft(up);
  },
  SLOW_MS,
);

it(
  "an agent that is stopped has its rooms at other hosts first, and nobody misses anything",
  async () => {
    const env = { CENTROID_AGENT_TOKEN: "stop-agent-token-0123" };
    const rooms = join(import.meta.dirname, "../fixtures/peer-rooms");
    const state = { CENTROID_STATE_DIR: join(cli.folder, "leaving"), ...env };
    const up = cli.start(["up", "--port", "0", "--hosts", "0", "--no-limits"], state);
    const [, url = ""] = await up.says(/(http:\S+)\s+no hosts of its own/);
    // Nor are rooms built that no host of it would run.
    expect(await readdir(state.CENTROID_STATE_DIR)).not.toContain("rooms");
    const place = ["--lat", "50", "--lon", "8", "--rooms", rooms];
    const agent = async (hostId: string): Promise<RunningCli> => {
      const started = cli.start(["agent", "--broker", url, "--host-id", hostId, ...place], env);
      await started.says(/has joined/);
      return started;
    };
    const leaving = await agent("leaving");
    const client = new CentroidClient(url, { probing: false });
    const joined = await Promise.all([1, 2, 3].map(() => client.create("arena")));
    expect(joined.map(({ host }) => host.hostId)).toEqual(["leaving", "leaving", "leaving"]);
    const staying = await agent("staying");
    let sent = 0;
    const moves = setInterval(() => {
      sent++;
      for (const room of joined) room.send("move", 1);
    }, 10);
    process.kill(leaving.child.pid ?? 0, "SIGTERM");
    expect(await leaving.exited).toBe(0);
    expect(leaving.out).toContain("its rooms move to other hosts");
    clearInterval(moves);
    expect(joined.map(({ host }) => host.hostId)).toEqual(["staying", "staying", "staying"]);
    for (const room of joined) expect(await room.request("moves")).toBe(sent);
    // Alone, it has nowhere to send them to, and does not wait.
    process.kill(staying.child.pid ?? 0, "SIGTERM");
    expect(await staying.exited).toBe(0);
    client.dispose();
    await up.kill("SIGINT");
  },
  SLOW_MS,
);

it("output that goes to a full disk ends nothing; output that nobody reads does", async () => {
  const program = `
    const { untilStopped } = await import(${JSON.stringify(UNTIL_STOPPED)});
    const stop = untilStopped();
    process.stdout.write("out\\n");
    process.stderr.write("err\\n");
    // Streams tell of errors a turn later.
    setTimeout(() => process.exit(stop.aborted ? 10 : 11), 500);
  `;
  const run = (output: string): number | null =>
    spawnSync("bash", ["-c", `"$0" --input-type=module -e "$1" ${output}`, process.execPath, program]).status;
  expect(run(">/dev/full 2>/dev/full")).toBe(11);
  expect(run("2>/dev/null | true; exit $" + "{PIPESTATUS[0]}")).toBe(10);
});
