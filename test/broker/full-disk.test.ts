/**
 * A store that cannot be written costs moves and orders, never rooms or joins, and heals by itself: forced faults of
 * every kind, and a real disk that is full.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStore, type Store } from "@centroid/broker";
import type { AgentRequest } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { GuardedStore } from "../../server/broker/dist/store/guarded-store.js";
import { hostOf, until, World } from "./support/world.js";

type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;
type Fault = "ENOSPC" | "EROFS" | "EIO";

const WRITES = new Set([
  "putRoom",
  "removeRoom",
  "putCheckpoint",
  "journal",
  "closeMigration",
  "appendAudit",
]);

/** A store whose writes fail while `disk.fault` says so. */
function faulty(inner: Store): { store: Store; disk: { fault: Fault | undefined } } {
  const disk: { fault: Fault | undefined } = { fault: undefined };
  const store = new Proxy(inner, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (typeof method !== "function") return method;
      return (...args: unknown[]): Promise<unknown> => {
        const { fault } = disk;
        if (fault !== undefined && WRITES.has(String(name)))
          return Promise.reject(Object.assign(new Error(`${fault}: write`), { code: fault }));
        return method.apply(target, args);
      };
    },
  });
  return { store, disk };
}

const degraded = async (world: World): Promise<string | undefined> => {
  const answer = await world.call("GET", "/readyz");
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { degraded?: string }).degraded;
};
const writable = async (world: World): Promise<string | undefined> =>
  /^centroid_store_writable (\d)/m.exec(await (await world.call("GET", "/metrics")).text())?.[1];

const silent = { ...console, debug() {}, info() {}, warn() {}, error() {} };

describe("a store that cannot be written", () => {
  it.each<[Fault, RegExp]>([
    ["ENOSPC", /ENOSPC.*free some space/],
    ["EROFS", /EROFS.*mount it for writing/],
    ["EIO", /EIO.*disk fails/],
  ])(
    "because of %s refuses moves and orders, goes on with joins, and heals (BRK-3)",
    async (fault, words) => {
      const { store, disk } = faulty(new MemoryStore());
      await using world = await World.start(["a", "b"], { store });
      const { roomId, centroid } = await world.join("joinOrCreate", "arena");
      const from = centroid.host.hostId;
      const to = from === "a" ? "b" : "a";
      expect(await writable(world)).toBe("1");
      disk.fault = fault;

      const refused = { code: "STORE_UNAVAILABLE", status: 503, message: expect.stringMatching(words) };
      await expect(world.move(roomId, to)).rejects.toMatchObject(refused);
      await expect(world.move(roomId, to)).rejects.toMatchObject(refused);
      expect((await world.call("POST", `/api/v1/rooms/${roomId}/lock`, {})).status).toBe(503);
      for (const hostId of ["a", "b"]) {
        const asked = world.agent(hostId).requests.map(({ method }) => method);
        expect(asked).not.toContain("setLocked");
        expect(asked).not.toContain("migrateIn");
      }
      expect(await degraded(world)).toMatch(words);
      expect(await writable(world)).toBe("0");
      expect((await world.join("joinOrCreate", "arena")).roomId).toBe(roomId);
      const meanwhile = (await world.join("create", "arena")).roomId;
      expect((await store.rooms()).map((room) => room.roomId)).toEqual([roomId]);

      disk.fault = undefined;
      await until(async () => (await degraded(world)) === undefined);
      await until(async () => (await store.rooms()).length === 2);
      expect((await store.rooms()).map((room) => room.roomId).sort()).toEqual([roomId, meanwhile].sort());
      expect(await world.move(roomId, to)).toMatchObject({ outcome: "completed" });
      expect(await writable(world)).toBe("1");
    },
  );

  it("from the middle of a move on lets the move end, and stores its receipt later", async () => {
    const { store, disk } = faulty(new MemoryStore());
    await using world = await World.start(["a", "b"], { store });
    const { roomId, centroid } = await world.join("joinOrCreate", "arena");
    const from = centroid.host.hostId;
    const to = from === "a" ? "b" : "a";
    world.agent(from).scripts.set("migrateOut", (request) =>
      world.agent(from).migrateOut(request as MigrateOut, (step) => {
        if (step === "copied") disk.fault = "ENOSPC";
      }),
    );
    const receipt = await world.move(roomId, to);
    expect(receipt.outcome).toBe("completed");
    expect(await hostOf(world, roomId)).toBe(to);
    expect(await store.openMigrations()).toHaveLength(1);
    disk.fault = undefined;
    await until(async () => (await store.openMigrations()).length === 0);
    expect(await store.receipts({ limit: 1 })).toEqual([receipt]);
    await until(async () => (await store.rooms())[0]?.hostId === to);
  });

  it("stores the last save of each room once it can, and only of its owner", async () => {
    const { store, disk } = faulty(new MemoryStore());
    const trials: (() => void)[] = [];
    const clock = {
      now: () => 0,
      after: (_ms: number, run: () => void) => {
        trials.push(run);
        return () => undefined;
      },
    };
    const guarded = new GuardedStore({ inner: store, where: "here", shared: false, clock, logger: silent });
    const put = (roomId: string, seq: number): Promise<boolean> =>
      guarded.putCheckpoint({ roomId, epoch: 1, seq, takenAtMs: 0, data: new Uint8Array(8) }).then(
        () => true,
        () => false,
      );
    disk.fault = "EIO";
    const [first, other] = [put("one", 1), put("other", 1)];
    const second = put("one", 2);
    expect(await first).toBe(false);
    // Whoever takes it over reads what is stored.
    await guarded.nextEpoch("other", 1);
    expect(await other).toBe(false);
    disk.fault = undefined;
    for (const trial of trials) trial();
    expect(await second).toBe(true);
    expect((await store.checkpoint("one"))?.seq).toBe(2);
    expect(await store.checkpoint("other")).toBeUndefined();
  });

  it("on a disk that is really full goes on as well", async (context) => {
    const disk = await mkdtemp(join(tmpdir(), "centroid-full-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      await rm(disk, { recursive: true });
      context.skip("mounting a small disk needs root");
    }
    try {
      const storeDir = join(disk, "store");
      const ballast = join(disk, "ballast");
      // With its log on the same disk.
      await using world = await World.start(["a", "b"], { storeDir, logger: undefined as never });
      const { roomId, centroid } = await world.join("joinOrCreate", "arena");
      const to = centroid.host.hostId === "a" ? "b" : "a";
      for (const file of ["data.mdb", "lock.mdb", "broker.log"])
        expect((await stat(join(storeDir, file))).mode & 0o777, file).toBe(0o600);
      expect((await stat(storeDir)).mode & 0o777).toBe(0o700);
      await expect(writeFile(ballast, Buffer.alloc(16_000_000))).rejects.toMatchObject({ code: "ENOSPC" });
      await expect(world.move(roomId, to)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect((await world.join("joinOrCreate", "arena")).roomId).toBe(roomId);
      await rm(ballast);
      await until(async () => (await degraded(world)) === undefined);
      expect(await world.move(roomId, to)).toMatchObject({ outcome: "completed" });
    } finally {
      execFileSync("umount", [disk]);
      await rm(disk, { recursive: true });
    }
  });
});
