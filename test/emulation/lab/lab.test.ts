/** A real lab: namespaces, two libvirtd, the switch between them. Needs root, libvirt and QEMU. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { promisify } from "node:util";
import { Lab, labProblem, parseTopology } from "@centroid/emulation";
import { Connection } from "@centroid/node-libvirt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const problem = await labProblem();
if (problem !== undefined) console.log(`skipped: lab tier (${problem})`);
const name = `t${process.pid}`;
const libvirtPort = 16509;

/** Round trip from a namespace, by the fastest of five TCP handshakes; undefined if none succeeds. */
function handshakeMs(namespace: string, address: string, port: number): Promise<number | undefined> {
  const script = `
    const { connect } = require("node:net");
    const once = () => new Promise((resolve) => {
      const at = performance.now();
      const socket = connect(${port}, "${address}");
      const end = (ms) => { socket.destroy(); resolve(ms); };
      socket.on("connect", () => end(performance.now() - at)).on("error", () => end(Infinity));
      socket.setTimeout(700, () => end(Infinity));
    });
    (async () => {
      let best = Infinity;
      for (let i = 0; i < 5; i++) best = Math.min(best, await once());
      console.log(best);
    })();`;
  return new Promise((resolve, reject) => {
    execFile("ip", ["netns", "exec", namespace, process.execPath, "-e", script], (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout.trim() === "Infinity" ? undefined : Number(stdout));
    });
  });
}

describe.skipIf(problem !== undefined)("lab", () => {
  let lab: Lab;

  beforeAll(async () => {
    const topology = parseTopology({
      hosts: [{ name: "tokyo" }, { name: "paris" }],
      sites: [{ name: "home" }],
      links: [{ a: "home", b: "paris", rttMs: 80 }],
    });
    lab = await Lab.up(topology, { name });
  });
  afterAll(() => Lab.down(name));

  const fromHome = (host: string) =>
    handshakeMs(lab.sites[0]!.namespace, lab.host(host).address, libvirtPort);

  it("runs a libvirt of its own on each host", async () => {
    const names = await Promise.all(
      lab.hosts.map(async (host) => {
        await using connection = await Connection.open(host.uri);
        return connection.getHostname();
      }),
    );
    expect(names).toEqual(["tokyo", "paris"]);
  });

  it("delays a link by its round trip, and only that link", async () => {
    const far = await fromHome("paris");
    expect(far).toBeGreaterThanOrEqual(80);
    expect(far).toBeLessThan(95);
    expect(await fromHome("tokyo")).toBeLessThan(20);
  });

  it("changes a link while it runs, and another process sees the change", async () => {
    await lab.setLink("paris", "home", { rttMs: 30 });
    const near = await fromHome("paris");
    expect(near).toBeGreaterThanOrEqual(30);
    expect(near).toBeLessThan(45);
    expect((await Lab.open(name)).links).toContainEqual(expect.objectContaining({ rttMs: 30 }));
  });

  it("cuts a link and joins it again", async () => {
    await lab.setLink("paris", "home", { up: false });
    expect(await fromHome("paris")).toBeUndefined();
    expect(await fromHome("tokyo")).toBeDefined();
    await lab.setLink("paris", "home", { up: true });
    expect(await fromHome("paris")).toBeDefined();
  });

  it("counts what crosses each link", async () => {
    const crossed = (await lab.traffic()).find(({ from, to }) => from === "home" && to === "paris")!;
    expect(crossed.frames).toBeGreaterThan(0);
    expect(crossed.dropped).toBeGreaterThan(0);
  });

  it("lets hosts hold no more of a migration than their link needs", async () => {
    const most = async (host: string): Promise<number> => {
      const path = "/proc/sys/net/ipv4/tcp_rmem";
      const args = ["netns", "exec", lab.host(host).namespace, "cat", path];
      const { stdout } = await promisify(execFile)("ip", args);
      return Number(stdout.trim().split(/\s+/)[2]);
    };
    await lab.setLink("tokyo", "paris", { rttMs: 0 });
    const near = await most("tokyo");
    await lab.setLink("tokyo", "paris", { rttMs: 20 });
    expect(await most("tokyo")).toBeGreaterThan(4 * near);
    await lab.setLink("tokyo", "paris", { rttMs: 20, megabitsPerS: 10 });
    expect(await most("tokyo")).toBe(near);
    await lab.setLink("tokyo", "paris", { rttMs: 0, megabitsPerS: 100_000 });
  });

  it("refuses what a link cannot have, and keeps it as it was", async () => {
    await expect(lab.setLink("paris", "home", { rttMs: Number.NaN })).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
    expect((await Lab.open(name)).links).toContainEqual(expect.objectContaining({ b: "paris", rttMs: 30 }));
  });

  it("keeps what another process has changed", async () => {
    const other = await Lab.open(name);
    await other.setLink("tokyo", "home", { rttMs: 7 });
    await lab.setLink("paris", "home", { jitterMs: 0 });
    expect((await Lab.open(name)).links).toContainEqual(expect.objectContaining({ a: "tokyo", rttMs: 7 }));
    await lab.setLink("tokyo", "home", { rttMs: 0 });
  });

  it("refuses an unknown place, and a second lab of the same name", async () => {
    await expect(lab.setLink("paris", "atlantis", { rttMs: 1 })).rejects.toMatchObject({
      code: "HOST_NOT_FOUND",
    });
    await expect(Lab.up(parseTopology({ hosts: [{ name: "a" }] }), { name })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  it("keeps the addresses of its hosts when a guest's card, alike on both, joins their bridges", async () => {
    const { namespace: tokyo } = lab.host("tokyo");
    const { namespace: paris } = lab.host("paris");
    const ip = (...args: string[]) => promisify(execFile)("ip", args);
    // Lower than any that a host may have: a bridge left to itself would take it for its own.
    const card = [
      "link",
      "add",
      "card",
      "address",
      "02:00:00:00:00:01",
      "type",
      "veth",
      "peer",
      "name",
      "inside",
    ];
    for (const namespace of [tokyo, paris]) {
      await ip("-n", namespace, ...card);
      await ip("-n", namespace, "link", "set", "card", "master", "br0", "up");
    }
    await expect.poll(() => handshakeMs(tokyo, lab.host("paris").address, libvirtPort)).toBeLessThan(20);
    for (const namespace of [tokyo, paris]) await ip("-n", namespace, "link", "del", "card");
  });

  it("starts a libvirt again that was killed", async () => {
    process.kill((await lab.hypervisorPid("tokyo"))!, "SIGKILL");
    await lab.startHypervisor("tokyo");
    await using connection = await Connection.open(lab.host("tokyo").uri);
    expect(await connection.getHostname()).toBe("tokyo");
  });

  it("leaves nothing behind, even when its state file is lost", async () => {
    const pid = (await lab.hypervisorPid("paris"))!;
    rmSync(`${lab.directory}/state.json`);
    await expect(Lab.open(name)).rejects.toThrow("has crashed: centroid lab down");
    expect(await Lab.down(name)).toBe(true);
    expect(await Lab.down(name)).toBe(false);
    expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
    expect(existsSync(lab.directory)).toBe(false);
    expect(readdirSync("/run/netns").filter((entry) => entry.includes(`-${name}-`))).toEqual([]);
    await expect(Lab.open(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
