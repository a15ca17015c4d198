/** Rooms in containers on hosts of one's own, set up as docs/containers.md says. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OWN_HOSTS, type OwnHostId, OwnHosts, otherHost } from "../support/own-hosts.js";
import { allFaults, containerProblem } from "./container-world.js";

/** Minutes on a crowded machine: `CENTROID_CONTAINERS=1` runs it. */
const problem = allFaults
  ? await containerProblem("rooms in containers on hosts of one's own")
  : "left to CENTROID_CONTAINERS=1";
const START_TIMEOUT_MS = 240_000;

describe.skipIf(problem !== undefined)("rooms in containers on hosts of one's own", () => {
  let hosts: OwnHosts;

  function settingsOf(hostId: OwnHostId, changes: object = {}): Promise<string> {
    return hosts.writeSettings(hostId, {
      peerAddress: hosts.lab.host(hostId).address,
      directory: join(hosts.folder(hostId), "containers"),
      ...changes,
    });
  }
  const startAgent = async (hostId: OwnHostId): Promise<void> =>
    hosts.startAgent(hostId, await settingsOf(hostId));

  beforeAll(async () => {
    hosts = await OwnHosts.start({
      ...{ name: `ownc${process.pid}`, kind: "containers" },
      ...{ page: "containers.md", file: "container.json", option: "--container" },
      at: async (lab, hostId) => ["ip", "netns", "exec", lab.host(hostId).namespace],
    });
    for (const hostId of OWN_HOSTS) await mkdir(hosts.folder(hostId), { recursive: true });
    await hosts.startBroker("--carrier", "container");
  }, START_TIMEOUT_MS);
  afterAll(() => hosts?.[Symbol.asyncDispose](), 60_000);

  it("refuses a host that is not as its file says, and says what to do", async () => {
    const wrong: [object, RegExp][] = [
      [{ bridge: "br9" }, /bridge: this host has no bridge br9: ip link add br9/],
      [{ directory: "/dev/null/rooms" }, /directory: cannot be written/],
      [{ peerAddress: "10.77.99.99" }, /peerAddress: 10\.77\.99\.99 is not an address of this host/],
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
      expect(await hosts.move(second)).toMatchObject({
        ...{ outcome: "completed", mechanism: "precopy", fromHostId: first, toHostId: second, epoch: 2 },
      });
      expect(await hosts.home()).toBe(second);
      await hosts.nothingLost();
      expect(await hosts.order("drain", second)).toMatchObject({ code: 0 });
      await hosts.comesTo(first);
      await hosts.nothingLost();
    },
    START_TIMEOUT_MS,
  );

  it("finds its rooms again when an agent is started anew", async () => {
    const at = (await hosts.home()) ?? "left";
    await hosts.agents.get(at)?.kill("SIGKILL");
    await startAgent(at);
    await hosts.comesTo(at);
    await hosts.nothingLost();
  }, 120_000);
});
