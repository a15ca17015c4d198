/** What becomes of a room in a virtual machine when something breaks: at rest, and in the middle of a move. */
import { Lab } from "@centroid/emulation";
import type { Receipt } from "@centroid/protocol";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeployedVms } from "./deployed.js";
import { hypervisorProblem } from "./support.js";

const problem = await hypervisorProblem("faults of rooms in virtual machines");
const startTimeoutMs = 240_000;
describe.skipIf(problem !== undefined)("rooms in virtual machines, when something breaks", () => {
  let deployed: DeployedVms;
  let lab: Lab;
  let room: CentroidRoom;
  let client: CentroidClient;
  let updates = 0;

  beforeAll(async () => {
    deployed = await DeployedVms.start();
    lab = await Lab.open(deployed.lab);
    client = new CentroidClient(deployed.url, { probing: false });
    room = await client.joinOrCreate("arena", { name: "unlucky" });
    room.onStateChange(() => updates++);
    room.onMessage("*", () => undefined);
  }, startTimeoutMs);
  afterAll(async () => {
    await room?.leave().catch(() => undefined);
    client?.dispose();
    await deployed?.[Symbol.asyncDispose]();
  }, 60_000);

  const at = async (): Promise<string> => (await deployed.hostOf(room.roomId)) ?? "";
  const otherThan = (hostId: string): string => (hostId === "frankfurt" ? "virginia" : "frankfurt");

  const newest = async (): Promise<Receipt> => (await deployed.get<[Receipt]>("/receipts?limit=1"))[0];

  async function stillPlaying(): Promise<void> {
    const before = updates;
    await expect.poll(() => updates).toBeGreaterThan(before + 5);
  }

  const moveAnd = (fault: (from: string, to: string) => Promise<void> | void) =>
    deployed.moveAnd(lab, room.roomId, fault);

  it("goes on where it was when the destination's libvirt is killed, and moves there once it is back", async () => {
    const home = await at();
    const receipt = await moveAnd(async (_, to) => {
      process.kill((await lab.hypervisorPid(to))!, "SIGKILL");
      await lab.startHypervisor(to);
    });
    expect(receipt.outcome).toBe("rolled-back");
    expect(await at()).toBe(home);
    await stillPlaying();
    const again = await deployed.move(room.roomId, otherThan(home));
    expect(again.outcome).toBe("completed");
    await stillPlaying();
  }, 120_000);

  it("goes on where it was when the backbone is cut in the middle of a move", async () => {
    const home = await at();
    const receipt = await moveAnd(async (from, to) => void (await lab.setLink(from, to, { up: false })));
    expect(receipt.outcome).toBe("rolled-back");
    expect(await at()).toBe(home);
    await stillPlaying();
  }, 120_000);

  it("keeps players whose own link is cut for three seconds", async () => {
    await expect.poll(at).not.toBe("");
    const home = await at();
    const left: number[] = [];
    room.onLeave((code) => left.push(code));
    const { connection } = room;
    await lab.setLink("players", home, { up: false });
    const silentSince = performance.now();
    const before = updates;
    await expect.poll(() => performance.now() - silentSince, { timeout: 6_000 }).toBeGreaterThan(3_000);
    // What was on the wire when it was cut came in; after that nothing.
    expect(updates - before).toBeLessThan(20);
    await lab.setLink("players", home, { up: true });
    await stillPlaying();
    expect(left).toEqual([]);
    expect(room.connection).toBe(connection);
  }, 60_000);

  it("goes on from its last checkpoint when its QEMU dies, and its player finds it there", async () => {
    // Something is saved by then, and confirmed.
    await stillPlaying();
    process.kill(deployed.qemuPid(await at(), room.roomId), "SIGKILL");
    await expect.poll(async () => (await newest()).mechanism, { timeout: 60_000 }).toBe("restore");
    const receipt = await newest();
    expect(receipt).toMatchObject({ outcome: "completed", reason: "host-lost", roomId: room.roomId });
    expect(receipt.checkpointAgeMs).toBeLessThan(20_000);
    await stillPlaying();
  }, 120_000);
});
