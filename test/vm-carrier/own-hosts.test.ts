/**
 * Rooms in machines on hosts of one's own, set up as docs/vm.md says. Each agent runs where its host's libvirt does, in its
 * network, mounts and host name.
 */
import { copyFile, mkdir, readdir, rename, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { bundleRooms } from "@centroid/room-host/bundling";
import { buildRoomsImage } from "@centroid/vm-carrier";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OWN_HOSTS, type OwnHostId, OwnHosts, otherHost } from "../support/own-hosts.js";
import { TestRedis } from "../support/redis.js";
import { hypervisorProblem, testRoomsImageDirectory } from "./support.js";

const problem = await hypervisorProblem("rooms in virtual machines on hosts of one's own");
/** Each host boots its template, both on the same cores. */
const START_TIMEOUT_MS = 400_000;

describe.skipIf(problem !== undefined)("rooms in virtual machines on hosts of one's own", () => {
  let hosts: OwnHosts;

  /** Here, where Debian can be reached: hosts of the lab only reach each other. */
  async function makeImages(): Promise<void> {
    const { folder } = hosts.cli;
    await mkdir(testRoomsImageDirectory, { recursive: true });
    await mkdir(join(folder, "image"));
    await symlink(testRoomsImageDirectory, join(folder, "image", "vm-image"));
    const bundle = await bundleRooms(DEMO_ROOMS_DIR, join(folder, "rooms"));
    await buildRoomsImage(bundle, join(folder, "image"), () => undefined);
    for (const hostId of OWN_HOSTS) {
      const own = join(hosts.folder(hostId), "vm-image");
      await mkdir(own, { recursive: true });
      for (const file of ["vmlinuz", "initramfs.zst", "manifest.json"])
        await copyFile(join(testRoomsImageDirectory, file), join(own, file));
    }
  }

  function settingsOf(hostId: OwnHostId, changes: object = {}): Promise<string> {
    return hosts.writeSettings(hostId, {
      peerAddress: `${hosts.lab.host(hostId).address}:16509`,
      gateway: "10.77.2.1",
      // One host finds its image in its state folder, the other is given it.
      ...(hostId === "right" && { image: join(hosts.folder(hostId), "vm-image") }),
      ...changes,
    });
  }
  const startAgent = async (hostId: OwnHostId): Promise<void> =>
    hosts.startAgent(hostId, await settingsOf(hostId));

  beforeAll(async () => {
    hosts = await OwnHosts.start({
      ...{ name: `own${process.pid}`, kind: "machines", page: "vm.md", file: "vm.json", option: "--vm" },
      at: async (lab, hostId) => {
        const pid = await lab.hypervisorPid(hostId);
        return ["nsenter", "--target", String(pid), "--net", "--mount", "--uts"];
      },
    });
    await makeImages();
    const redis = await TestRedis.start(hosts.place);
    hosts.parts.push(redis);
    await hosts.startBroker("--redis", redis.url, "--carrier", "vm");
  }, START_TIMEOUT_MS);
  afterAll(() => hosts?.[Symbol.asyncDispose](), 60_000);

  it("refuses a host that is not as its file says, and says what to do", async () => {
    const { lab, cli } = hosts;
    const wrong: [object, RegExp][] = [
      [{ bridge: "br9" }, /bridge: this host has no br9: ip link add br9/],
      [{ bridge: "lo" }, /bridge: lo is a network device, but no bridge/],
      [{ guestDirectory: "/dev/null/guests" }, /guestDirectory: cannot be written/],
      [{ libvirtUri: "qemu+unix:///system?socket=/nowhere" }, /libvirtUri: .*is libvirtd running/],
      [{ peerAddress: `${lab.host("left").address}:9` }, /peerAddress: .*let libvirtd listen there/],
      [{ peerAddress: `${lab.host("right").address}:16509` }, /peerAddress: .*is another libvirt/],
      [{ image: cli.folder }, /image: no guest image in/],
    ];
    for (const [changes, said] of wrong)
      expect([changes, await hosts.refuses("left", await settingsOf("left", changes))]).toMatchObject([
        changes,
        { code: 2, error: { code: "CONFIG_INVALID", message: expect.stringMatching(said) } },
      ]);
  }, 120_000);

  it(
    "runs a room, moves it by order and by drain, and its player stays on its connection",
    async () => {
      await Promise.all(OWN_HOSTS.map(startAgent));
      await hosts.startPlayer();
      const first = (await hosts.home()) ?? "left";
      const second = otherHost(first);
      const receipt = await hosts.move(second);
      expect(receipt).toMatchObject({
        ...{ outcome: "completed", fromHostId: first, toHostId: second, epoch: 2 },
      });
      expect(receipt.bytes).toBeGreaterThan(20e6);
      expect(await hosts.home()).toBe(second);
      await hosts.nothingLost();
      expect(await hosts.order("drain", second)).toMatchObject({ code: 0 });
      await hosts.comesTo(first);
      await hosts.nothingLost();
      expect(await hosts.order("activate", second)).toMatchObject({ code: 0 });
    },
    START_TIMEOUT_MS,
  );

  it("lets an agent be started anew behind a drain, and makes neither image nor template again", async () => {
    const at = (await hosts.home()) ?? "left";
    const label = join(hosts.lab.host(at).localGuestDirectory, "centroid-template.json");
    const { mtimeMs } = await stat(label);
    expect(await hosts.order("drain", at)).toMatchObject({ code: 0 });
    await hosts.comesTo(otherHost(at));
    await hosts.agents.get(at)?.kill("SIGTERM");
    await startAgent(at);
    expect((await stat(label)).mtimeMs).toBe(mtimeMs);
    expect(await hosts.order("activate", at)).toMatchObject({ code: 0 });
    expect(await hosts.move(at)).toMatchObject({ outcome: "completed", toHostId: at });
    await hosts.nothingLost();
  }, 180_000);

  it("does not begin a move to a host that has not the guest's image", async () => {
    const from = (await hosts.home()) ?? "left";
    const to = otherHost(from);
    const { localGuestDirectory } = hosts.lab.host(to);
    const image = (await readdir(localGuestDirectory)).find((file) => file.startsWith("image-")) ?? "";
    await rename(join(localGuestDirectory, image), join(localGuestDirectory, "elsewhere"));
    try {
      expect(await hosts.move(to)).toMatchObject({
        outcome: "rolled-back",
        error: {
          code: "MIGRATION_FAILED",
          message: expect.stringMatching(`${to} has no guest image .*${image}.*: copy its folder`),
        },
      });
    } finally {
      await rename(join(localGuestDirectory, "elsewhere"), join(localGuestDirectory, image));
    }
    expect(await hosts.home()).toBe(from);
    await hosts.nothingLost();
  }, 120_000);
});
