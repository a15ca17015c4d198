/**
 * What goes wrong in the middle of a room's move between containers, on real criu: whatever it is, one host has the
 * room afterwards, its player stays on its socket, and nothing is left. `CENTROID_CONTAINERS=1` runs it.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allFaults, ContainerWorld, containerProblem, TalkingPlayer } from "./container-world.js";

const problem = await containerProblem("faults in the middle of a container's move");
const START_TIMEOUT_MS = 120_000;
const FAULT_TIMEOUT_MS = 240_000;

describe.skipIf(problem !== undefined || !allFaults)("a move of a container that meets a fault", () => {
  let world: ContainerWorld;
  let player: TalkingPlayer;

  beforeAll(async () => {
    world = await ContainerWorld.start("faults");
    player = await TalkingPlayer.join(world.url);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await player?.leave();
    await world?.[Symbol.asyncDispose]();
  }, 60_000);

  async function expectOnlyAt(hostId: string): Promise<void> {
    const { roomId } = player.room;
    await expect.poll(() => world.hostOf(roomId), { timeout: 60_000 }).toBe(hostId);
    await player.expectNothingLost();
    await expect.poll(() => world.tracesOf(roomId), { timeout: 20_000 }).toEqual([hostId]);
    await expect.poll(() => world.images(), { timeout: 20_000 }).toEqual([]);
  }

  it(
    "continues where it was when the destination's agent is killed while the memory comes",
    async () => {
      let source = "";
      const receipt = await world.moveAnd(player.room.roomId, async (from, to) => {
        source = from;
        await world.killAgent(to);
        await world.startAgent(to);
      });
      expect(receipt).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
      await expectOnlyAt(source);
    },
    FAULT_TIMEOUT_MS,
  );

  it(
    "waits for the broker when the source's agent is killed, and continues where it was",
    async () => {
      let source = "";
      const receipt = await world.moveAnd(player.room.roomId, async (from) => {
        source = from;
        await world.killAgent(from);
        await world.startAgent(from);
      });
      expect(receipt.outcome).toBe("rolled-back");
      await expectOnlyAt(source);
    },
    FAULT_TIMEOUT_MS,
  );

  it(
    "continues where it was when there is no space for its memory, and moves once there is",
    async () => {
      const { roomId } = player.room;
      const { from, to } = await world.endsOf(roomId);
      const small = await mkdtemp(join(tmpdir(), "centroid-small-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", small]);
      try {
        await world.killAgent(to);
        await world.startAgent(to, { images: small });
        const receipt = await world.move(roomId, to);
        expect(receipt).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
        await expectOnlyAt(from);
        await world.killAgent(to);
        await world.startAgent(to);
      } finally {
        execFileSync("umount", [small]);
        await rm(small, { recursive: true });
      }
      const again = await world.move(roomId, to);
      expect(again.error).toBeUndefined();
      expect(again.outcome).toBe("completed");
      await expectOnlyAt(to);
    },
    FAULT_TIMEOUT_MS,
  );

  it(
    "has one owner after the link was cut, and the player is where it is",
    async () => {
      const { lab } = world.deployed;
      await world.moveAnd(player.room.roomId, async (from, to) => {
        await lab.setLink(from, to, { up: false });
        await expect.poll(() => world.hostOf(player.room.roomId), { timeout: 60_000 }).toBeDefined();
        await lab.setLink(from, to, { up: true });
      });
      const home = await world.hostOf(player.room.roomId);
      await expectOnlyAt(home ?? "");
    },
    FAULT_TIMEOUT_MS,
  );

  it("moves a hundred times and loses nothing", async () => {
    for (let round = 0; round < 100; round++) {
      const { to } = await world.endsOf(player.room.roomId);
      expect(await world.move(player.room.roomId, to)).toMatchObject({ outcome: "completed" });
    }
    await player.expectNothingLost();
  }, 600_000);
});
