/**
 * Rooms in virtual machines as users run them: `centroid up --carrier vm`, and a stock Colyseus client that
 * knows nothing of Centroid. Its room moves, machine and all, and it stays on the socket it joined with.
 */
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeployedVms } from "./deployed.js";
import { hypervisorProblem } from "./support.js";

const problem = await hypervisorProblem("rooms in virtual machines");
/** The image is built and its guest emulated on a machine that does other things, too. */
const startTimeoutMs = 240_000;
const moves = 5;

describe.skipIf(problem !== undefined)("rooms in virtual machines", () => {
  let deployed: DeployedVms;
  let room: Room;
  const left: number[] = [];
  const echoes: number[] = [];
  let updates = 0;

  beforeAll(async () => {
    deployed = await DeployedVms.start();
    room = await new Client(deployed.url).joinOrCreate("arena", { name: "stock" });
    room.onLeave((code) => left.push(code));
    room.onStateChange(() => updates++);
    room.onMessage("*", () => undefined);
    room.onMessage("echo", ({ t }: { t: number }) => echoes.push(t));
  }, startTimeoutMs);
  afterAll(async () => {
    await deployed?.[Symbol.asyncDispose]();
  }, 60_000);

  it(`moves ${moves} times under a stock client, which stays on its socket and loses nothing`, async () => {
    const { connection } = room;
    let sent = 0;
    const talk = setInterval(() => room.send("echo", { t: sent++ }), 20);
    try {
      for (let move = 1; move <= moves; move++) {
        const to = (await deployed.hostOf(room.roomId)) === "frankfurt" ? "virginia" : "frankfurt";
        const receipt = await deployed.move(room.roomId, to);
        expect(receipt).toMatchObject({ outcome: "completed", toHostId: to, epoch: move + 1 });
        expect(["precopy", "postcopy", "hybrid"]).toContain(receipt.mechanism);
        expect(receipt.freezeMs?.max).toBeGreaterThan(0);
        expect(receipt.bytes).toBeGreaterThan(20e6);
        expect(await deployed.hostOf(room.roomId)).toBe(to);
        const before = updates;
        await expect.poll(() => updates, { timeout: 10_000 }).toBeGreaterThan(before + 5);
      }
    } finally {
      clearInterval(talk);
    }
    await expect.poll(() => echoes.length, { timeout: 10_000 }).toBe(sent);
    expect(echoes).toEqual(Array.from({ length: sent }, (_, t) => t));
    expect(left).toEqual([]);
    expect(room.connection).toBe(connection);
  }, 180_000);

  it("lets its last player leave properly, and nothing of the network is left at the end", async () => {
    await room.leave();
    expect(left).toHaveLength(1);
    expect(deployed.leftovers()).not.toEqual([]);
    await deployed.up.kill("SIGINT");
    expect(deployed.leftovers()).toEqual([]);
  }, 60_000);
});
