/**
 * Rooms in virtual machines as users run them: `centroid up --carrier vm`, and a stock Colyseus client that
 * knows nothing of Centroid. Its room moves, machine and all, and it stays on the socket it joined with.
 * Runs wherever it can; what takes longer is in the other files of this folder.
 */
import { Lab } from "@centroid/emulation";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeployedVms } from "./deployed.js";
import { labTierProblem, longTiers } from "./support.js";

const problem = await labTierProblem("rooms in virtual machines");
/** The image is built and its guest emulated on a machine that does other things, too. */
const startTimeoutMs = 240_000;
const rounds = longTiers ? 3 : 1;

describe.skipIf(problem !== undefined)("rooms in virtual machines", () => {
  let deployed: DeployedVms;
  let room: Room;
  const left: number[] = [];
  const echoes: number[] = [];
  let sent = 0;
  let talk: NodeJS.Timeout | undefined;

  beforeAll(async () => {
    deployed = await DeployedVms.start();
    room = await new Client(deployed.url).joinOrCreate("arena", { name: "stock" });
    room.onLeave((code) => left.push(code));
    room.onMessage("*", () => undefined);
    room.onMessage("echo", ({ t }: { t: number }) => echoes.push(t));
    talk = setInterval(() => room.send("echo", { t: sent++ }), 20);
  }, startTimeoutMs);
  afterAll(async () => {
    clearInterval(talk);
    await deployed?.[Symbol.asyncDispose]();
  }, 60_000);

  /** What was said until now is answered, in order, each once, on the connection that it began with. */
  async function nothingLost(connection: Room["connection"]): Promise<void> {
    const until = sent;
    await expect.poll(() => echoes.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(until);
    expect(echoes).toEqual(echoes.map((_, t) => t));
    expect(left).toEqual([]);
    expect(room.connection).toBe(connection);
  }

  it("moves by pre-copy and by post-copy under a stock client, which stays on its socket and loses nothing", async () => {
    const { connection } = room;
    let epoch = 1;
    for (let round = 0; round < rounds; round++) {
      for (const mechanism of ["precopy", "postcopy"] as const) {
        const to = (await deployed.hostOf(room.roomId)) === "frankfurt" ? "virginia" : "frankfurt";
        const receipt = await deployed.move(room.roomId, to, mechanism);
        epoch++;
        expect(receipt.error).toBeUndefined();
        expect(receipt).toMatchObject({ outcome: "completed", toHostId: to, epoch, mechanism });
        expect(receipt.freezeMs?.max).toBeGreaterThan(0);
        expect(receipt.bytes).toBeGreaterThan(20e6);
        expect(receipt.predicted?.because).toBe("asked for");
        expect(receipt.predicted?.totalMs).toBeGreaterThan(0);
        // All memory at most, and no less than what a guest must at least send.
        expect(receipt.predicted?.bytes).toBeGreaterThan(20e6);
        expect(receipt.predicted?.bytes).toBeLessThan(2 * 280e6);
        expect(await deployed.hostOf(room.roomId)).toBe(to);
        await nothingLost(connection);
      }
    }
  }, 300_000);

  it("goes on where it was when the destination's QEMU is killed in pre-copy", async () => {
    const { connection } = room;
    const home = await deployed.hostOf(room.roomId);
    const lab = await Lab.open(deployed.lab);
    const receipt = await deployed.moveAnd(lab, room.roomId, (_, to) => {
      process.kill(deployed.qemuPid(to, room.roomId), "SIGKILL");
    });
    expect(receipt).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
    expect(await deployed.hostOf(room.roomId)).toBe(home);
    await nothingLost(connection);
  }, 120_000);

  it("lets its last player leave properly, and nothing of the network is left at the end", async () => {
    clearInterval(talk);
    await room.leave();
    expect(left).toHaveLength(1);
    expect(deployed.leftovers()).not.toEqual([]);
    await deployed.up.kill("SIGINT");
    expect(deployed.leftovers()).toEqual([]);
  }, 60_000);
});
