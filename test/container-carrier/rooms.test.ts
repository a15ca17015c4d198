/**
 * Rooms in containers: how far each is from its host, and that it moves under a stock Colyseus client, which stays on
 * the socket it joined with. On real criu, wherever that runs.
 */
import { readlinkSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ContainerWorld, containerProblem, TalkingPlayer } from "./container-world.js";

const problem = await containerProblem("rooms in containers");
const START_TIMEOUT_MS = 120_000;
const MOVES_TIMEOUT_MS = 180_000;

describe.skipIf(problem !== undefined)("rooms in containers", () => {
  let world: ContainerWorld;
  let player: TalkingPlayer;

  beforeAll(async () => {
    const rooms = join(import.meta.dirname, "../fixtures/container-rooms");
    world = await ContainerWorld.start("rooms", { rooms });
    player = await TalkingPlayer.join(world.url);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  }, 60_000);

  it("has namespaces of its own, no privileges, a root that nobody writes and nothing of its host's", async () => {
    const { from } = await world.endsOf(player.room.roomId);
    const pid = await world.pidOf(from, player.room.roomId);
    for (const namespace of ["pid_for_children", "mnt", "net", "ipc", "uts"])
      expect(readlinkSync(`/proc/${pid}/ns/${namespace}`)).not.toBe(
        readlinkSync(`/proc/self/ns/${namespace}`),
      );
    const program = Number(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"));
    for (const each of [pid, program]) {
      const status = await readFile(`/proc/${each}/status`, "utf8");
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        expect(status).toMatch(new RegExp(`^${set}:\\s*0+$`, "m"));
      expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
      expect(status).toMatch(/^Seccomp:\s*2$/m);
      const mounts = (await readFile(`/proc/${each}/mountinfo`, "utf8")).trim().split("\n");
      expect(mounts.map((line) => line.split(" ")[4]).sort()).toEqual(["/", "/proc", "/run/centroid"]);
      for (const line of mounts.filter((text) => !text.includes(" /run/centroid ")))
        expect(line.split(" ")[5]).toMatch(/^ro,/);
    }
    const environment = (await readFile(`/proc/${program}/environ`, "utf8")).split("\0").filter(Boolean);
    expect(environment.map((each) => each.split("=")[0]).sort()).toEqual([
      "HOME",
      "NODE_ENV",
      "PATH",
      "UV_USE_IO_URING",
    ]);
    const open = (await readdir(`/proc/${program}/fd`)).map((fd) =>
      readlinkSync(`/proc/${program}/fd/${fd}`),
    );
    expect(open.filter((path) => path.startsWith("/") && path !== "/dev/null")).toEqual([]);
    const inside = await readdir(`/proc/${program}/root`);
    expect(inside).not.toContain("work");
  });

  it(
    "moves to and fro under a stock client, which stays on its socket and loses nothing",
    async () => {
      const { roomId } = player.room;
      // The first is chosen by what it is predicted to take.
      const ways = [undefined, "stop-and-copy", "precopy", "postcopy", "hybrid"];
      for (const [at, mechanism] of ways.entries()) {
        const round = at + 1;
        const { from, to } = await world.endsOf(roomId);
        const receipt = await world.move(roomId, to, mechanism);
        expect(receipt.error).toBeUndefined();
        expect(receipt).toMatchObject({
          outcome: "completed",
          toHostId: to,
          epoch: 1 + round,
          mechanism: mechanism ?? "precopy",
        });
        expect(receipt.freezeMs?.max).toBeGreaterThan(0);
        expect(receipt.bytes).toBeGreaterThan(1e6);
        expect(receipt.predicted?.totalMs).toBeGreaterThan(0);
        expect(receipt.predicted?.bytes).toBeGreaterThan(1e6);
        expect(await world.hostOf(roomId)).toBe(to);
        const crossed = `${Math.round(receipt.bytes / 1e6)} MB, ${Math.round(receipt.freezeMs?.max ?? 0)} ms silent`;
        console.log(`${receipt.mechanism}: ${crossed}`, receipt.predicted);
        await player.expectNothingLost();
        expect(world.tracesOf(roomId)).toEqual([to]);
        expect(world.images()).toEqual([]);
        expect(from).not.toBe(to);
      }
    },
    MOVES_TIMEOUT_MS,
  );

  it("has its workers, wherever it is", async () => {
    const client = new CentroidClient(world.url, { probing: false });
    const room = await client.create("calc", { timeoutMs: 60_000 });
    const square = (n: number): Promise<unknown> =>
      room.request("square" as never, { n } as never, { timeout: 60_000 });
    expect(await square(3)).toBe(9);
    const { to } = await world.endsOf(room.roomId);
    expect(await world.move(room.roomId, to)).toMatchObject({ outcome: "completed" });
    expect(await square(4)).toBe(16);
    client.dispose();
  }, 120_000);

  it("keeps what a room is on its way for nobody else, and ends with its last player", async () => {
    const { roomId } = player.room;
    const { from } = await world.endsOf(roomId);
    const { directory, images } = world.deployed.agent(from).container;
    expect((await stat(join(directory, `room-${roomId}`))).mode & 0o077).toBe(0);
    for (const name of await readdir(images)) expect((await stat(join(images, name))).mode & 0o077).toBe(0);
    await player.leave();
    await expect.poll(() => world.tracesOf(roomId), { timeout: 30_000 }).toEqual([]);
  });
});
