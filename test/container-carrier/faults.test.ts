/**
 * What goes wrong in the middle of a room's move between containers, on real criu: whatever it is, one host has the
 * room afterwards, its player stays on its socket, and nothing is left. `CENTROID_CONTAINERS=1` runs it.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Receipt } from "@centroid/protocol";
import { CentroidClient } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
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

  it.each(["destination", "source", "link", "page source"] as const)(
    "comes back from its checkpoint when it is in two places and the %s is lost, and the receipts say so",
    async (lost) => {
      const client = new CentroidClient(world.url, { probing: false });
      onTestFinished(() => client.dispose());
      const room = await client.create("arena", { name: "player" });
      const { roomId } = room;
      const echoes = new Set<number>();
      room.onMessage("echo", ({ t }: { t: number }) => void echoes.add(t));
      const answers = async (t: number): Promise<void> => {
        room.send("echo", { t });
        await expect.poll(() => echoes.has(t), { timeout: 60_000 }).toBe(true);
      };
      await answers(1);
      const { lab } = world.deployed;
      const receipt = await world.moveAnd(
        roomId,
        async (from, to) => {
          if (lost === "link") {
            await lab.setLink(from, to, { up: false });
            return;
          }
          if (lost === "page source") {
            process.kill(await world.pageSourceOf(to, roomId), "SIGKILL");
            return;
          }
          const hostId = lost === "source" ? from : to;
          await world.killAgent(hostId);
          await world.startAgent(hostId);
        },
        "postcopy",
      );
      // A source that has ended cannot say why.
      const code = lost === "source" ? "HOST_LOST" : "MIGRATION_FAILED";
      expect(receipt).toMatchObject({ outcome: "failed", error: { code } });
      if (lost === "destination" || lost === "page source")
        expect(receipt.error?.message).toMatch(/in two places.*checkpoint/);
      const restored = async (): Promise<Receipt | undefined> =>
        (await world.get<Receipt[]>(`/receipts?roomId=${roomId}`)).find(
          ({ mechanism }) => mechanism === "restore",
        );
      await expect.poll(restored, { timeout: 60_000 }).toMatchObject({ outcome: "completed" });
      await answers(2);
      const home = await world.hostOf(roomId);
      await expect.poll(() => world.tracesOf(roomId), { timeout: 20_000 }).toEqual([home]);
      await expect.poll(() => world.images(), { timeout: 20_000 }).toEqual([]);
      await room.leave();
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
