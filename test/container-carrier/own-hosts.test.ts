/**
 * Rooms in containers on hosts of one's own: two hosts that share nothing but the network, each with an agent started
 * by the command of docs/containers.md and a state folder of its own; broker and player are in a third place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { Lab, parseTopology } from "@centroid/emulation";
import { receiptSchema } from "@centroid/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { Cli, type RunningCli } from "../support/run-cli.js";
import { allFaults, containerProblem } from "./container-world.js";

/** Minutes on a crowded machine: `CENTROID_CONTAINERS=1` runs it. */
const problem = allFaults
  ? await containerProblem("rooms in containers on hosts of one's own")
  : "left to CENTROID_CONTAINERS=1";
const START_TIMEOUT_MS = 240_000;
const adminToken = "admin-token-of-own-hosts";
const agentToken = "agent-token-of-own-hosts";
const hostIds = ["left", "right"] as const;
type HostId = (typeof hostIds)[number];
const other = (hostId: HostId): HostId => (hostId === "left" ? "right" : "left");
const documented = codeBlocks(join(import.meta.dirname, "../../docs/containers.md"));

interface Heard {
  roomId: string;
  sent: number;
  heard: number;
  inOrder: boolean;
  sameConnection: boolean;
  left: number[];
}

describe.skipIf(problem !== undefined)("rooms in containers on hosts of one's own", () => {
  const parts: AsyncDisposable[] = [];
  let cli: Cli;
  let lab: Lab;
  let place: string[];
  let url = "";
  let player: ChildProcess | undefined;
  let last: Heard | undefined;
  const agents = new Map<HostId, RunningCli>();

  /** The file of docs/containers.md with what differs from host to host. */
  async function settingsOf(hostId: HostId, changes: object = {}): Promise<string> {
    const block = documented.find(({ title }) => title === "container.json");
    await mkdir(join(cli.folder, hostId), { recursive: true });
    const file = join(cli.folder, hostId, "container.json");
    const third = hostId === "left" ? 16 : 17;
    const settings = {
      ...(JSON.parse(block?.code ?? "{}") as object),
      peerAddress: lab.host(hostId).address,
      network: "10.77.0.0/16",
      addresses: { from: `10.77.${third}.1`, to: `10.77.${third}.100` },
      directory: join(cli.folder, hostId, "containers"),
      ...changes,
    };
    await writeFile(file, JSON.stringify(settings));
    return file;
  }

  const onHost = (hostId: HostId): string[] => ["ip", "netns", "exec", lab.host(hostId).namespace];

  /** The command of docs/containers.md. */
  function agentArgs(hostId: HostId, settings: string): string[] {
    const { code = "" } = documented.find((block) => block.code.includes("centroid agent")) ?? {};
    const values: Record<string, string> = {
      "--broker": url.replace("http", "ws"),
      "--token-file": join(cli.folder, "agent-token"),
      "--host-id": hostId,
      "--rooms": DEMO_ROOMS_DIR,
      "--container": settings,
    };
    const words = code.replaceAll("\\\n", " ").trim().split(/\s+/);
    const args = words
      .slice(words.indexOf("agent"))
      .map((word, at, all) => values[all[at - 1] ?? ""] ?? word);
    const { address } = lab.host(hostId);
    return [...args, "--bind-host", address, "--state-dir", join(cli.folder, hostId), "--json"];
  }

  async function startAgent(hostId: HostId): Promise<void> {
    const agent = cli.start(agentArgs(hostId, await settingsOf(hostId)), {}, onHost(hostId));
    agents.set(hostId, agent);
    await agent.says(/"type": "started"/);
  }

  async function rooms(): Promise<{ roomId: string; hostId: HostId; state: string }[]> {
    const { out } = await order("rooms", "--json");
    return JSON.parse(out) as { roomId: string; hostId: HostId; state: string }[];
  }

  async function home(): Promise<HostId | undefined> {
    return (await rooms()).find(({ roomId, state }) => roomId === last?.roomId && state === "running")
      ?.hostId;
  }

  function order(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    return cli.run([...args, "--broker", url], { CENTROID_TOKEN: adminToken }, place);
  }

  /** What was said until now is answered, in order, each once, on the connection that it began with. */
  async function nothingLost(): Promise<void> {
    const until = last?.sent ?? 0;
    expect(until).toBeGreaterThan(0);
    await expect.poll(() => last?.heard, { timeout: 60_000 }).toBeGreaterThanOrEqual(until);
    expect(last).toMatchObject({ inOrder: true, sameConnection: true, left: [] });
  }

  beforeAll(async () => {
    cli = await Cli.create();
    await cli.roomsStay();
    parts.push(cli);
    const name = `ownc${process.pid}`;
    const topology = parseTopology({
      hosts: hostIds.map((id) => ({ name: id })),
      sites: [{ name: "players" }],
    });
    lab = await Lab.up(topology, { name, kind: "containers" });
    parts.push({ [Symbol.asyncDispose]: async () => void (await Lab.down(name)) });
    const [site] = lab.sites;
    place = ["ip", "netns", "exec", site?.namespace ?? ""];
    await writeFile(join(cli.folder, "agent-token"), agentToken);
    const broker = ["up", "--hosts", "0", "--carrier", "container", "--port", "0"];
    const up = cli.start(
      [...broker, "--bind-host", site?.address ?? "", "--state-dir", join(cli.folder, "broker"), "--json"],
      { CENTROID_TOKEN: adminToken, CENTROID_AGENT_TOKEN: agentToken },
      place,
    );
    const [, started = ""] = await up.says(/^(\{"type":"started".*\})$/m);
    ({ url } = JSON.parse(started) as { url: string });
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    player?.kill("SIGTERM");
    for (const agent of agents.values()) await agent.kill("SIGTERM");
    for (const part of parts.reverse()) await part[Symbol.asyncDispose]();
  }, 60_000);

  it("refuses a host that is not as its file says, and says what to do", async () => {
    const wrong: [object, RegExp][] = [
      [{ bridge: "br9" }, /bridge: this host has no bridge br9: ip link add br9/],
      [{ directory: "/dev/null/rooms" }, /directory: cannot be written/],
      [{ peerAddress: "10.77.99.99" }, /peerAddress: 10\.77\.99\.99 is not an address of this host/],
    ];
    for (const [changes, said] of wrong) {
      const { code, out } = await cli.run(
        agentArgs("left", await settingsOf("left", changes)),
        {},
        onHost("left"),
      );
      expect([changes, code, JSON.parse(out)]).toMatchObject([
        changes,
        2,
        { error: { code: "CONFIG_INVALID", message: expect.stringMatching(said) } },
      ]);
    }
  }, 120_000);

  it(
    "runs a room, moves it by order and by drain, and its player stays on its connection",
    async () => {
      await Promise.all(hostIds.map(startAgent));
      const program = join(import.meta.dirname, "../vm-carrier/stock-player.mjs");
      const [command = "", ...rest] = [...place, process.execPath, program, url];
      player = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
      player.stdout?.on("data", (data: Buffer) => {
        const line = data.toString().trim().split("\n").at(-1) ?? "";
        last = JSON.parse(line) as Heard;
      });
      await expect.poll(() => last?.heard, { timeout: 60_000 }).toBeGreaterThan(10);

      const first = (await home()) ?? "left";
      const moved = await order("move", last?.roomId ?? "", other(first), "--json");
      expect(receiptSchema.parse(JSON.parse(moved.out))).toMatchObject({
        outcome: "completed",
        mechanism: "precopy",
        fromHostId: first,
        toHostId: other(first),
        epoch: 2,
      });
      expect(await home()).toBe(other(first));
      await nothingLost();

      expect(await order("drain", other(first))).toMatchObject({ code: 0 });
      await expect.poll(home, { timeout: 60_000, interval: 500 }).toBe(first);
      await nothingLost();
    },
    START_TIMEOUT_MS,
  );

  it("finds its rooms again when an agent is started anew", async () => {
    const at = (await home()) ?? "left";
    await agents.get(at)?.kill("SIGKILL");
    await startAgent(at);
    await expect.poll(home, { timeout: 60_000, interval: 500 }).toBe(at);
    await nothingLost();
  }, 120_000);
});
