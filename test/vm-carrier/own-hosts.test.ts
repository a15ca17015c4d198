/**
 * Hosts of one's own: two machines that share nothing but the network. Each agent runs where its host's libvirt does,
 * in its network, mounts and host name, with a state folder of its own; broker and player are in a third place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdir, readdir, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { Lab, parseTopology } from "@centroid/emulation";
import { receiptSchema } from "@centroid/protocol";
import { bundleRooms } from "@centroid/room-host/bundling";
import { buildRoomsImage } from "@centroid/vm-carrier";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown.js";
import { TestRedis } from "../support/redis.js";
import { Cli, type RunningCli } from "../support/run-cli.js";
import { hypervisorProblem, testRoomsImageDirectory } from "./support.js";

const problem = await hypervisorProblem("rooms in virtual machines on hosts of one's own");
/** Each host boots its template, both on the same cores. */
const startTimeoutMs = 400_000;
const adminToken = "admin-token-of-own-hosts";
const agentToken = "agent-token-of-own-hosts";
const hostIds = ["left", "right"] as const;
type HostId = (typeof hostIds)[number];
const other = (hostId: HostId): HostId => (hostId === "left" ? "right" : "left");
const documented = codeBlocks(join(import.meta.dirname, "../../docs/vm.md"));

interface Heard {
  roomId: string;
  sent: number;
  heard: number;
  inOrder: boolean;
  sameConnection: boolean;
  left: number[];
}

describe.skipIf(problem !== undefined)("rooms in virtual machines on hosts of one's own", () => {
  const parts: AsyncDisposable[] = [];
  let cli: Cli;
  let lab: Lab;
  let place: string[];
  let url = "";
  let player: ChildProcess;
  let last: Heard | undefined;
  const agents = new Map<HostId, RunningCli>();

  /** Here, where Debian can be reached: hosts of the lab only reach each other. */
  async function makeImages(): Promise<void> {
    await mkdir(testRoomsImageDirectory, { recursive: true });
    await mkdir(join(cli.folder, "image"));
    await symlink(testRoomsImageDirectory, join(cli.folder, "image", "vm-image"));
    const bundle = await bundleRooms(DEMO_ROOMS_DIR, join(cli.folder, "rooms"));
    await buildRoomsImage(bundle, join(cli.folder, "image"), () => undefined);
    for (const hostId of hostIds) {
      const own = join(cli.folder, hostId, "vm-image");
      await mkdir(own, { recursive: true });
      for (const file of ["vmlinuz", "initramfs.zst", "manifest.json"])
        await copyFile(join(testRoomsImageDirectory, file), join(own, file));
    }
  }

  /** The file of docs/vm.md with what differs from host to host. */
  async function settingsOf(hostId: HostId, changes: object = {}): Promise<string> {
    const block = documented.find(({ title }) => title === "vm.json");
    const file = join(cli.folder, hostId, "vm.json");
    const third = hostId === "left" ? 16 : 17;
    const settings = {
      ...(JSON.parse(block?.code ?? "{}") as object),
      peerAddress: `${lab.host(hostId).address}:16509`,
      network: "10.77.0.0/16",
      gateway: "10.77.2.1",
      addresses: { from: `10.77.${third}.1`, to: `10.77.${third}.100` },
      // One host finds its image in its state folder, the other is given it.
      ...(hostId === "right" && { image: join(cli.folder, "right", "vm-image") }),
      ...changes,
    };
    await writeFile(file, JSON.stringify(settings));
    return file;
  }

  async function onHost(hostId: HostId): Promise<string[]> {
    const pid = await lab.hypervisorPid(hostId);
    return ["nsenter", "--target", String(pid), "--net", "--mount", "--uts"];
  }

  /** The command of docs/vm.md. */
  async function agentArgs(hostId: HostId, settings: string): Promise<string[]> {
    const { code = "" } = documented.find((block) => block.code.startsWith("centroid agent")) ?? {};
    const values: Record<string, string> = {
      "--broker": url.replace("http", "ws"),
      "--token-file": join(cli.folder, "agent-token"),
      "--host-id": hostId,
      "--rooms": DEMO_ROOMS_DIR,
      "--bind-host": lab.host(hostId).address,
      "--advertise-host": lab.host(hostId).address,
      "--vm": settings,
    };
    const words = code.trim().split(/\s+/).slice(1);
    const args = words.map((word, at) => values[words[at - 1] ?? ""] ?? word);
    return [...args, "--state-dir", join(cli.folder, hostId), "--json"];
  }

  async function startAgent(hostId: HostId): Promise<void> {
    const args = await agentArgs(hostId, await settingsOf(hostId));
    const agent = cli.start(args, {}, await onHost(hostId));
    agents.set(hostId, agent);
    await agent.says(/"type": "started"/);
  }

  async function get<T>(path: string): Promise<T> {
    const script = `fetch(${JSON.stringify(`${url}/api/v1${path}`)}, { headers: { authorization: "Bearer ${adminToken}" } })
      .then((r) => r.text()).then((t) => process.stdout.write(t))`;
    const [command = "", ...rest] = [...place, process.execPath, "-e", script];
    const child = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    for await (const data of child.stdout) text += String(data);
    return JSON.parse(text) as T;
  }

  async function home(): Promise<HostId | undefined> {
    const rooms = await get<{ roomId: string; hostId: HostId; state: string }[]>("/rooms");
    return rooms.find(({ roomId, state }) => roomId === last?.roomId && state === "running")?.hostId;
  }

  async function order(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
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
    const name = `own${process.pid}`;
    lab = await Lab.up(
      parseTopology({ hosts: hostIds.map((id) => ({ name: id })), sites: [{ name: "players" }] }),
      {
        name,
      },
    );
    parts.push({ [Symbol.asyncDispose]: async () => void (await Lab.down(name)) });
    const [site] = lab.sites;
    place = ["ip", "netns", "exec", site?.namespace ?? ""];
    await makeImages();
    await writeFile(join(cli.folder, "agent-token"), agentToken);
    const redis = await TestRedis.start(place);
    parts.push(redis);
    const broker = ["up", "--redis", redis.url, "--hosts", "0", "--carrier", "vm", "--port", "0"];
    const up = cli.start(
      [...broker, "--bind-host", site?.address ?? "", "--state-dir", join(cli.folder, "broker"), "--json"],
      { CENTROID_TOKEN: adminToken, CENTROID_AGENT_TOKEN: agentToken },
      place,
    );
    const [, started = ""] = await up.says(/^(\{"type":"started".*\})$/m);
    ({ url } = JSON.parse(started) as { url: string });
  }, startTimeoutMs);
  afterAll(async () => {
    player?.kill("SIGTERM");
    for (const agent of agents.values()) await agent.kill("SIGTERM");
    for (const part of parts.reverse()) await part[Symbol.asyncDispose]();
  }, 60_000);

  it("refuses a host that is not as its file says, and says what to do", async () => {
    const wrong: [object, RegExp][] = [
      [{ bridge: "br9" }, /bridge: this host has no br9: ip link add br9/],
      [{ bridge: "lo" }, /bridge: lo is a network device, but no bridge/],
      [{ guestDirectory: "/dev/null/guests" }, /guestDirectory: cannot be written/],
      [{ libvirtUri: "qemu+unix:///system?socket=/nowhere" }, /libvirtUri: .*is libvirtd running/],
      [{ peerAddress: `${lab.host("left").address}:9` }, /peerAddress: .*let libvirtd listen there/],
      [{ peerAddress: `${lab.host("right").address}:16509` }, /peerAddress: .*is another libvirt/],
      [{ image: cli.folder }, /image: no guest image in/],
    ];
    for (const [changes, said] of wrong) {
      const args = await agentArgs("left", await settingsOf("left", changes));
      const { code, out } = await cli.run(args, {}, await onHost("left"));
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
      const [command = "", ...rest] = [
        ...place,
        process.execPath,
        join(import.meta.dirname, "stock-player.mjs"),
        url,
      ];
      player = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
      player.stdout?.on("data", (data: Buffer) => {
        const line = data.toString().trim().split("\n").at(-1) ?? "";
        last = JSON.parse(line) as Heard;
      });
      await expect.poll(() => last?.heard, { timeout: 90_000 }).toBeGreaterThan(10);

      const first = (await home()) ?? "left";
      const moved = await order("move", last?.roomId ?? "", other(first), "--json");
      const receipt = receiptSchema.parse(JSON.parse(moved.out));
      expect(receipt).toMatchObject({
        outcome: "completed",
        fromHostId: first,
        toHostId: other(first),
        epoch: 2,
      });
      expect(receipt.bytes).toBeGreaterThan(20e6);
      expect(await home()).toBe(other(first));
      await nothingLost();

      expect(await order("drain", other(first))).toMatchObject({ code: 0 });
      await expect.poll(home, { timeout: 60_000, interval: 500 }).toBe(first);
      await nothingLost();
      expect(await order("activate", other(first))).toMatchObject({ code: 0 });
    },
    startTimeoutMs,
  );

  it("lets an agent be started anew behind a drain, and makes neither image nor template again", async () => {
    const at = (await home()) ?? "left";
    const label = join(lab.host(at).localGuestDirectory, "centroid-template.json");
    const { mtimeMs } = await stat(label);
    expect(await order("drain", at)).toMatchObject({ code: 0 });
    await expect.poll(home, { timeout: 60_000, interval: 500 }).toBe(other(at));
    await agents.get(at)?.kill("SIGTERM");
    await startAgent(at);
    expect((await stat(label)).mtimeMs).toBe(mtimeMs);
    expect(await order("activate", at)).toMatchObject({ code: 0 });
    const moved = await order("move", last?.roomId ?? "", at, "--json");
    expect(receiptSchema.parse(JSON.parse(moved.out))).toMatchObject({ outcome: "completed", toHostId: at });
    await nothingLost();
  }, 180_000);

  it("does not begin a move to a host that has not the guest's image", async () => {
    const from = (await home()) ?? "left";
    const { localGuestDirectory } = lab.host(other(from));
    const image = (await readdir(localGuestDirectory)).find((file) => file.startsWith("image-")) ?? "";
    await rename(join(localGuestDirectory, image), join(localGuestDirectory, "elsewhere"));
    try {
      const moved = await order("move", last?.roomId ?? "", other(from), "--json");
      expect(receiptSchema.parse(JSON.parse(moved.out))).toMatchObject({
        outcome: "rolled-back",
        error: {
          code: "MIGRATION_FAILED",
          message: expect.stringMatching(`${other(from)} has no guest image .*${image}.*: copy its folder`),
        },
      });
    } finally {
      await rename(join(localGuestDirectory, "elsewhere"), join(localGuestDirectory, image));
    }
    expect(await home()).toBe(from);
    await nothingLost();
  }, 120_000);
});
