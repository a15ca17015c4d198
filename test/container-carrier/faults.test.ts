/**
 * What goes wrong in the middle of a room's move between containers, on real criu: whatever it is, one host has the
 * room afterwards, its player stays on its socket, and nothing is left. `CENTROID_CONTAINERS=1` runs it.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Receipt } from "@centroid/protocol";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  allFaults,
  type ContainerHostId,
  ContainerWorld,
  containerProblem,
  TalkingPlayer,
} from "./container-world.js";

const problem = await containerProblem("faults in the middle of a container's move");
const START_TIMEOUT_MS = 120_000;
const FAULT_TIMEOUT_MS = 240_000;
const ASKS_MS = 2_000;

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
    await expect.poll(() => world.tracesOf(roomId)).toEqual([hostId]);
    await expect.poll(() => world.images()).toEqual([]);
  }

  /** Of a room of its own, with the client that takes a room up again where it is restored. */
  async function enterAsPlayer(): Promise<{ room: CentroidRoom; answers: (t: number) => Promise<void> }> {
    const client = new CentroidClient(world.url, { probing: false });
    onTestFinished(() => client.dispose());
    const room = await client.create("arena", { name: "player" });
    const echoes = new Set<number>();
    room.onMessage("echo", ({ t }: { t: number }) => void echoes.add(t));
    const answers = async (t: number): Promise<void> => {
      room.send("echo", { t });
      await expect.poll(() => echoes.has(t), { timeout: 60_000 }).toBe(true);
    };
    await answers(1);
    return { room, answers };
  }

  async function expectRestored(roomId: string): Promise<void> {
    const restored = async (): Promise<Receipt | undefined> =>
      (await world.get<Receipt[]>(`/receipts?roomId=${roomId}`)).find(
        ({ mechanism }) => mechanism === "restore",
      );
    await expect.poll(restored, { timeout: 60_000 }).toMatchObject({ outcome: "completed" });
    const home = await world.hostOf(roomId);
    await expect.poll(() => world.tracesOf(roomId)).toEqual([home]);
    await expect.poll(() => world.images()).toEqual([]);
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

  it.each(["source", "destination"] as const)(
    "continues where it was when there is no space for its memory at the %s, and moves once there is",
    async (where) => {
      const { roomId } = player.room;
      const { from, to } = await world.endsOf(roomId);
      const full = where === "source" ? from : to;
      const small = await mkdtemp(join(tmpdir(), "centroid-small-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", small]);
      try {
        await world.killAgent(full);
        await world.startAgent(full, { images: small });
        const receipt = await world.move(roomId, to);
        expect(receipt).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
        await expectOnlyAt(from);
        await world.killAgent(full);
        await world.startAgent(full);
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
    "continues where it was when what gives it its memory is killed before it runs",
    async () => {
      let source = "";
      const receipt = await world.moveAnd(player.room.roomId, async (from, to) => {
        source = from;
        process.kill(await world.pageSourceOf(to, player.room.roomId), "SIGKILL");
      });
      expect(receipt).toMatchObject({ outcome: "rolled-back", error: { code: "MIGRATION_FAILED" } });
      await expectOnlyAt(source);
    },
    FAULT_TIMEOUT_MS,
  );

  it(
    "is not called off once it runs at its destination, however late its answer comes",
    async () => {
      const { roomId } = player.room;
      let destination = "";
      const receipt = await world.moveAnd(roomId, async (from, to) => {
        destination = to;
        const program = await world.programOf(to, roomId);
        process.kill(program, "SIGSTOP");
        await world.killAgent(from);
        await world.startAgent(from);
        // The broker asks both hosts a few times a second, and nothing comes of it.
        await delay(ASKS_MS);
        process.kill(program, "SIGCONT");
      });
      expect(receipt.outcome).toBe("completed");
      await expectOnlyAt(destination);
    },
    FAULT_TIMEOUT_MS,
  );

  it(
    "has one owner, and a receipt, when the broker starts anew in the middle of it",
    async () => {
      const { roomId } = player.room;
      const receipts = (): Promise<Receipt[]> => world.get(`/receipts?roomId=${roomId}`);
      const before = (await receipts()).length;
      const moved = world.moveAnd(roomId, async () => {
        await world.endBroker();
        await world.startBroker();
      });
      await expect(moved).rejects.toThrow();
      await expect.poll(async () => (await receipts()).length, { timeout: 60_000 }).toBe(before + 1);
      expect((await receipts())[0]?.outcome).not.toBe("failed");
      await expect.poll(() => world.hostOf(roomId), { timeout: 60_000 }).toBeDefined();
      await expectOnlyAt((await world.hostOf(roomId)) ?? "");
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
      const { room, answers } = await enterAsPlayer();
      const { roomId } = room;
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
      await expectRestored(roomId);
      await answers(2);
      await room.leave();
    },
    FAULT_TIMEOUT_MS,
  );

  it.each([
    "while its memory goes ahead",
    "while criu writes it",
    "at the destination before it has answered",
  ] as const)(
    "comes back from its checkpoint when its container ends %s",
    async (when) => {
      const { room, answers } = await enterAsPlayer();
      const { roomId } = room;
      const end = async (hostId: ContainerHostId): Promise<void> =>
        void process.kill(await world.pidOf(hostId, roomId), "SIGKILL");
      let over: Promise<Receipt>;
      if (when === "while criu writes it") {
        const { from, to } = await world.endsOf(roomId);
        over = world.move(roomId, to, "stop-and-copy");
        over.catch(() => undefined);
        await world.isBeingDumped(from, roomId);
        await end(from);
      } else if (when === "while its memory goes ahead") over = world.moveAnd(roomId, end, "precopy");
      else over = world.moveAnd(roomId, (_, to) => end(to));
      const { outcome } = await over;
      // criu may have been faster: then the room has moved.
      if (when !== "while criu writes it" || outcome !== "completed") await expectRestored(roomId);
      await answers(2);
      await expect.poll(() => world.tracesOf(roomId)).toHaveLength(1);
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
