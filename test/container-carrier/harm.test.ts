/**
 * Rooms in containers that loop for ever, end their process or eat memory: not for long, not for ever, and not for the
 * rooms beside them.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Receipt } from "@centroid/protocol";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allFaults, ContainerWorld, containerProblem } from "./container-world.js";

const problem = await containerProblem("rooms in containers that do harm");
const MEMORY_MEBIBYTES = 256;
/** A loop has stood still for 1.5 s by then; the rest is this machine's other work. */
const NOTICED_MS = 60_000;

describe.skipIf(problem !== undefined || !allFaults)("a room in a container that does harm", () => {
  let world: ContainerWorld;
  let client: CentroidClient;
  let neighbour: CentroidRoom<{ round: number }>;
  let moves = 0;

  beforeAll(async () => {
    const rooms = join(import.meta.dirname, "../fixtures/handler-rooms");
    world = await ContainerWorld.start("harm", { rooms, memoryMebibytes: MEMORY_MEBIBYTES });
    client = new CentroidClient(world.url, { probing: false });
    neighbour = await client.create<{ round: number }>("eye");
    for (const heard of ["all", "one"]) neighbour.onMessage(heard, () => undefined);
    neighbour.onMigrate(() => void moves++);
  }, 120_000);
  afterAll(async () => {
    client?.dispose();
    await world?.[Symbol.asyncDispose]();
  }, 60_000);

  it("has its limits, which the kernel knows", async () => {
    const { roomId } = neighbour;
    const at = (await world.hostOf(roomId)) ?? "left";
    const pid = await world.pidOf(at, roomId);
    const groups = (await readFile(`/proc/${pid}/cgroup`, "utf8")).trim().split("\n");
    const limits: Record<string, [string, string]> = {
      memory: ["memory.limit_in_bytes", String(MEMORY_MEBIBYTES * 2 ** 20)],
      cpu: ["cpu.cfs_quota_us", "100000"],
      pids: ["pids.max", "512"],
    };
    let found = 0;
    for (const line of groups) {
      const [, controller = "", path = ""] = line.split(":");
      const limit = limits[controller];
      if (limit === undefined) continue;
      expect(path).toMatch(/^\/centroid\/[0-9a-f]{10}$/);
      const [file, value] = limit;
      expect((await readFile(join("/sys/fs/cgroup", controller, path, file), "utf8")).trim()).toBe(value);
      found++;
    }
    // Version 2 has one group for all; where there is neither, nothing can be limited.
    if (found === 0) expect(groups.join()).toMatch(/^0::\//);
  });

  it.each([
    ["hang", 'message "hang"', "hung the process"],
    ["exit", 'message "exit"', "ended the process"],
    ["eat", `taking more than ${MEMORY_MEBIBYTES} MiB of memory`, "ended the process"],
  ])(
    'that its message "%s" does twice is ended, and its neighbour notices nothing',
    async (type, blamed, how) => {
      const room = await client.create<{ heard: number }>("poison");
      const { roomId } = room;
      room.send("count");
      await expect.poll(() => room.state?.heard).toBe(1);
      const closed = new Promise<{ code: number; reason: string | undefined }>((resolve) => {
        room.onLeave((code, reason) => resolve({ code, reason }));
      });
      const sentAtMs = performance.now();
      room.send(type);
      const noticed = (): boolean => world.notices.some((line) => line.includes(`room ${roomId}: `));
      await expect.poll(noticed, { timeout: NOTICED_MS, interval: 20 }).toBe(true);
      console.log(`noticed after ${Math.round(performance.now() - sentAtMs)} ms: ${type}`);
      const { code, reason } = await closed;
      expect(code).toBe(4002);
      expect(reason).toContain(blamed);
      expect(reason).toContain(how);
      const failures = async (): Promise<unknown[]> => {
        const receipts = await world.get<Receipt[]>(`/receipts?roomId=${roomId}`);
        return receipts.filter(({ outcome }) => outcome === "failed").map(({ error }) => error?.code);
      };
      await expect.poll(failures).toEqual(["ROOM_CRASHED"]);
      await expect.poll(() => world.tracesOf(roomId)).toEqual([]);
      const before = neighbour.state.round;
      neighbour.send("ring");
      await expect.poll(() => neighbour.state.round).toBe(before + 1);
      expect(moves).toBe(0);
    },
    180_000,
  );
});
