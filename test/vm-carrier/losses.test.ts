/** Rooms in virtual machines when one of those who keep them ends: a half of a machine, an agent, the broker, a disk. */
import { execFileSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@centroid/node-libvirt";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hypervisorProblem } from "./support.js";
import { type VmHostId, VmWorld, vmHosts } from "./vm-world.js";

const problem = await hypervisorProblem("losses of rooms in virtual machines");
const startTimeoutMs = 300_000;
const testTimeoutMs = 180_000;
/** What the store's disk holds in the test that fills it. */
const storeMebibytes = 64;
/** A guest's clock stands still while the guest does, in each of the moves before. */
const clockSlackMs = 2_000;

describe.skipIf(problem !== undefined)("rooms in virtual machines, when a part ends", () => {
  let world: VmWorld;
  let room: CentroidRoom;
  let client: CentroidClient;
  let mounted: string | undefined;
  let heard = 0;
  let talk: NodeJS.Timeout;

  beforeAll(async () => {
    world = await VmWorld.start((storeDir) => {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${storeMebibytes}m`, "tmpfs", storeDir]);
      mounted = storeDir;
    });
    client = new CentroidClient(world.url, { probing: false });
    await newRoom();
    talk = setInterval(() => room.send("echo", { t: 0 }), 50);
  }, startTimeoutMs);
  afterAll(async () => {
    clearInterval(talk);
    await room?.leave().catch(() => undefined);
    client?.dispose();
    await world?.endBroker();
    if (mounted !== undefined) execFileSync("umount", ["-l", mounted]);
    await world?.[Symbol.asyncDispose]();
  }, 60_000);
  /** A test that failed leaves none for the next. */
  beforeEach(async () => {
    if ((await world.hostOf(room.roomId)) === undefined) await newRoom();
    await stillPlaying();
  }, 120_000);

  async function newRoom(): Promise<void> {
    room = await client.create("arena", { name: "unlucky" });
    room.onMessage("*", () => undefined);
    room.onMessage("echo", () => heard++);
  }

  /** Whatever was broken, one machine of the room runs, and the player is in it. */
  async function stillWhole(): Promise<void> {
    await stillPlaying();
    expect(await machines()).toHaveLength(1);
  }

  async function stillPlaying(): Promise<void> {
    await expect.poll(() => world.hostOf(room.roomId), { timeout: 60_000 }).toBeDefined();
    const before = heard;
    await expect.poll(() => heard, { timeout: 60_000 }).toBeGreaterThan(before + 5);
  }

  async function stillMoves(): Promise<void> {
    const home = (await world.hostOf(room.roomId)) ?? "left";
    expect(await world.move(room.roomId, other(home))).toMatchObject({ outcome: "completed" });
  }

  /** The hosts that have a machine of the room, in whatever state. */
  async function machines(): Promise<VmHostId[]> {
    const found: VmHostId[] = [];
    for (const hostId of vmHosts) {
      await using connection = await Connection.open(world.deployed.lab.host(hostId).uri);
      const domains = await connection.listDomains();
      if (domains.some(({ name }) => name === `room-${room.roomId}`)) found.push(hostId);
    }
    return found;
  }

  const other = (hostId: VmHostId): VmHostId => (hostId === "left" ? "right" : "left");

  // First, while the store has no pages left from before that it could write a checkpoint into.
  it(
    "does not enter post-copy while the broker's disk is full, and does once there is room",
    async () => {
      const home = (await world.hostOf(room.roomId)) ?? "left";
      const ballast = join(world.stateDir, "ballast");
      const { bavail, bsize } = statfsSync(world.stateDir);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
      const refused = await world.move(room.roomId, other(home), "postcopy").catch((cause: Error) => cause);
      rmSync(ballast);
      expect(refused instanceof Error || refused.outcome === "rolled-back").toBe(true);
      await expect.poll(() => world.hostOf(room.roomId), { timeout: 30_000 }).toBe(home);
      const moved = await world.move(room.roomId, other(home), "postcopy");
      expect(moved).toMatchObject({ outcome: "completed", mechanism: "postcopy" });
      await stillWhole();
    },
    testTimeoutMs,
  );

  it(
    "is found again by an agent that starts anew, on the connection from before",
    async () => {
      const { connection } = room;
      const home = (await world.hostOf(room.roomId)) ?? "left";
      await world.killAgent(home);
      await world.startAgent(home);
      await stillWhole();
      expect(await world.hostOf(room.roomId)).toBe(home);
      expect(room.connection).toBe(connection);
      expect(await world.move(room.roomId, other(home))).toMatchObject({ outcome: "completed" });
    },
    testTimeoutMs,
  );

  it(
    "is built again elsewhere when its agent stays away, and its player goes on there",
    async () => {
      const home = (await world.hostOf(room.roomId)) ?? "left";
      const before = (await world.receiptsOf(room.roomId)).length;
      await world.killAgent(home);
      await expect
        .poll(async () => (await world.receiptsOf(room.roomId)).length, { timeout: 60_000 })
        .toBeGreaterThan(before);
      await stillPlaying();
      expect(await world.hostOf(room.roomId)).toBe(other(home));
      await world.startAgent(home);
      await stillWhole();
    },
    testTimeoutMs,
  );

  it(
    "has one place when the agent of the destination ends in the middle of a move and starts anew",
    async () => {
      await world.moveAnd(room.roomId, async (_, to) => {
        await world.killAgent(to);
        await world.startAgent(to);
      });
      await stillWhole();
    },
    testTimeoutMs,
  );

  it(
    "has one place, and its player, when the agent of the source ends in the middle of a move and starts anew",
    async () => {
      const { connection } = room;
      await world.moveAnd(room.roomId, async (from) => {
        await world.killAgent(from);
        await world.startAgent(from);
      });
      await stillWhole();
      expect(room.connection).toBe(connection);
      await stillMoves();
    },
    testTimeoutMs,
  );

  it(
    "has one place, and its player, when the agent of the source comes back only after the move",
    async () => {
      const { connection } = room;
      let source: VmHostId = "left";
      await world.moveAnd(room.roomId, async (from, to) => {
        source = from;
        await world.killAgent(from);
        // Over the slow link it may copy for ever, with nobody to end it.
        await world.deployed.lab.setLink(from, to, { megabitsPerS: 100_000 });
      });
      await stillWhole();
      expect(await world.hostOf(room.roomId)).toBe(other(source));
      await world.startAgent(source);
      await stillWhole();
      expect(room.connection).toBe(connection);
      expect(await world.move(room.roomId, source)).toMatchObject({ outcome: "completed" });
    },
    testTimeoutMs,
  );

  it(
    "has one place when the source's libvirt is killed in the middle of a move",
    async () => {
      const { lab } = world.deployed;
      const receipt = await world.moveAnd(room.roomId, async (from) => {
        const pid = await lab.hypervisorPid(from);
        process.kill(pid ?? Number.NaN, "SIGKILL");
        await lab.startHypervisor(from);
      });
      expect(receipt?.outcome).not.toBe("failed");
      await stillWhole();
      await stillMoves();
    },
    testTimeoutMs,
  );

  it(
    "has one place, and a receipt, when the broker starts anew in the middle of a move",
    async () => {
      const before = (await world.receiptsOf(room.roomId)).length;
      const { connection } = room;
      await world.moveAnd(room.roomId, async () => {
        await world.endBroker();
        await world.startBroker();
      });
      await stillWhole();
      await expect
        .poll(async () => (await world.receiptsOf(room.roomId)).length, { timeout: 60_000 })
        .toBe(before + 1);
      const [receipt] = await world.receiptsOf(room.roomId);
      expect(receipt?.outcome).not.toBe("failed");
      expect(room.connection).toBe(connection);
    },
    testTimeoutMs,
  );

  it(
    "stays where it is when the destination has no memory for it, and goes there once it has",
    async () => {
      const home = (await world.hostOf(room.roomId)) ?? "left";
      const to = other(home);
      const pid = String(await world.deployed.lab.hypervisorPid(to));
      const size = Number(execFileSync("ps", ["-o", "vsz=", "-p", pid]).toString()) * 1024;
      // Enough for libvirt itself; QEMU, which inherits it, wants the guest's memory on top.
      execFileSync("prlimit", ["--pid", pid, `--as=${size + 100 * 2 ** 20}:`]);
      const refused = await world.move(room.roomId, to);
      execFileSync("prlimit", ["--pid", pid, "--as=unlimited:"]);
      expect(refused).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
      expect(await world.hostOf(room.roomId)).toBe(home);
      expect(await world.move(room.roomId, to)).toMatchObject({ outcome: "completed" });
      await stillWhole();
    },
    testTimeoutMs,
  );

  it.each(["destination", "source"] as const)(
    "goes on from its checkpoint when the %s's QEMU dies in post-copy, and the receipts say what was lost",
    async (side) => {
      const from = (await world.hostOf(room.roomId)) ?? "left";
      const to = other(from);
      const { lab } = world.deployed;
      await lab.setLink(from, to, { megabitsPerS: 200 });
      await using connection = await Connection.open(lab.host(to).uri);
      // From here on the newest state is at the destination and most of the memory still at the source.
      const killed = new Promise<void>((resolve) => {
        const stop = connection.onEvent((event) => {
          if (event.type !== "lifecycle" || event.kind !== "resumed") return;
          // The room's next machine may begin to run here, too.
          stop();
          process.kill(world.qemuPid(side === "source" ? from : to, room.roomId), "SIGKILL");
          resolve();
        });
      });
      const receipt = await world.move(room.roomId, to, "postcopy");
      await killed;
      await lab.setLink(from, to, { megabitsPerS: 100_000 });
      expect(receipt).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
      expect(receipt.error?.message).toMatch(/lost in postcopy.*checkpoint/);
      await expect
        .poll(async () => (await world.receiptsOf(room.roomId))[0]?.mechanism, { timeout: 60_000 })
        .toBe("restore");
      const [restored] = await world.receiptsOf(room.roomId);
      expect(restored).toMatchObject({ outcome: "completed" });
      // At most what came after the checkpoint that every post-copy begins with.
      const takenAtMs = (restored?.startedAtMs ?? 0) - (restored?.checkpointAgeMs ?? 0);
      expect(takenAtMs).toBeGreaterThan(receipt.startedAtMs - clockSlackMs);
      await stillWhole();
    },
    testTimeoutMs,
  );
});
