/** The embedded store's process may end at any time, and so may its broker's: what was confirmed is there afterwards. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { LmdbStore, type RoomRecord, startBroker } from "@centroid/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mentioning } from "../support/processes.js";
import { until, World } from "./support/world.js";

/** A busy machine takes its time to start a process. */
const WAIT_MS = 60_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-store-process-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const processes = (): number[] =>
  mentioning(folder)
    .filter(({ name }) => name.includes("store-main"))
    .map(({ pid }) => pid);
const kill = (signal: NodeJS.Signals): void => {
  for (const pid of processes()) process.kill(pid, signal);
};

const room = (roomId: string, epoch: number): RoomRecord => ({
  ...{ roomId, epoch, name: "arena", hostId: "a", carrier: "process", fencedEpoch: 0, createdAtMs: 1 },
});

describe("the process of the embedded store", () => {
  it("that is killed in the middle of writes costs nothing that was confirmed, and reads are answered", async () => {
    const ended: string[] = [];
    const store = new LmdbStore(folder, (why) => ended.push(why));
    await store.putValue("before", "them");
    // These reach the whole group, from a terminal or a service manager.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) kill(signal);
    await store.putValue("after", "them");
    expect(ended).toEqual([]);
    const confirmed = new Map<string, number>();
    const last = new Map<string, number>();
    let refused = 0;
    const write = async (roomId: string): Promise<void> => {
      for (let epoch = 1; ended.length < 2; epoch++) {
        const given = await Promise.all([
          store.putRoom(room(roomId, epoch)),
          store.nextEpoch(roomId, 0),
        ]).catch((cause: Error) => cause);
        if (given instanceof Error) {
          expect(given.message).toMatch(/process ended with SIGKILL/);
          refused++;
          continue;
        }
        confirmed.set(roomId, epoch);
        expect(given[1]).toBeGreaterThan(last.get(roomId) ?? 0);
        last.set(roomId, given[1]);
      }
    };
    const read = async (): Promise<void> => {
      while (ended.length < 2) for (const { epoch } of await store.rooms()) expect(epoch).toBeGreaterThan(0);
    };
    const strike = async (): Promise<void> => {
      for (let times = 1; times <= 2; times++) {
        const before = confirmed.get("r0") ?? 0;
        await until(() => (confirmed.get("r0") ?? 0) > before + 3, WAIT_MS);
        kill("SIGKILL");
        await until(() => ended.length === times, WAIT_MS);
      }
    };
    await Promise.all([strike(), read(), ...["r0", "r1", "r2"].map(write)]);
    expect(refused).toBeGreaterThan(0);
    await store[Symbol.asyncDispose]();
    expect(processes()).toEqual([]);
    await using again = new LmdbStore(folder);
    for (const { roomId, epoch } of await again.rooms())
      expect(epoch).toBeGreaterThanOrEqual(confirmed.get(roomId) ?? Number.NaN);
    for (const [roomId, epoch] of last) expect(await again.nextEpoch(roomId, 0)).toBeGreaterThan(epoch);
  });

  it("writes what its broker had sent when that was killed, before the next one reads", async () => {
    const program = `
      const { LmdbStore } = await import(${JSON.stringify(import.meta.resolve("@centroid/broker"))});
      const store = new LmdbStore(process.argv[1]);
      await store.putValue("first", "there");
      console.log("opened");
      process.stdin.once("data", () => {
        void store.putValue("last", "there");
        // Calls of one turn go out in the next.
        setImmediate(() => setImmediate(() => console.log("sent")));
      });`;
    const broker = spawn(process.execPath, ["--input-type=module", "-e", program, folder], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface(broker.stdout);
    const line = async (): Promise<string> => String((await once(lines, "line"))[0]);
    expect(await line()).toBe("opened");
    const left = processes();
    kill("SIGSTOP");
    broker.stdin.write("go\n");
    expect(await line()).toBe("sent");
    const gone = once(broker, "exit");
    broker.kill("SIGKILL");
    await gone;
    await using next = new LmdbStore(folder);
    const values = next.values();
    await until(() => processes().length === 2, WAIT_MS);
    for (const pid of left) process.kill(pid, "SIGCONT");
    expect([...(await values)]).toEqual([
      ["first", "there"],
      ["last", "there"],
    ]);
    expect(processes()).not.toEqual(expect.arrayContaining(left));
  });

  it("that is killed while its broker starts is started again, and the broker with it", async () => {
    const killed = new Set<number>();
    let started = false;
    const strike = async (): Promise<void> => {
      while (!started && killed.size < 3) {
        for (const pid of processes())
          if (!killed.has(pid)) {
            process.kill(pid, "SIGKILL");
            killed.add(pid);
          }
        await setTimeout(1);
      }
    };
    const starting = startBroker({ storeDir: folder, port: 0 });
    const striking = strike();
    await using _broker = await starting.finally(() => {
      started = true;
    });
    await striking;
    expect(killed.size).toBeGreaterThan(0);
  });

  it("that cannot write any more ends alone: its broker refuses moves, says why, and goes on afterwards", async () => {
    await using world = await World.start(["a", "b"], { storeDir: folder });
    const { roomId, centroid } = await world.join("joinOrCreate", "arena");
    const to = centroid.host.hostId === "a" ? "b" : "a";
    const degraded = async (): Promise<string | undefined> =>
      ((await (await world.call("GET", "/readyz")).json()) as { degraded?: string }).degraded;
    const [pid] = processes();
    execFileSync("prlimit", ["--pid", String(pid), "--fsize=1:"]);
    await expect(world.move(roomId, to)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/cannot be written \(.*\): .*until then rooms stay where they are/),
    });
    expect((await world.join("joinOrCreate", "arena")).roomId).toBe(roomId);
    // The next one is not limited.
    await until(async () => (await degraded()) === undefined, WAIT_MS);
    expect(processes()).not.toContain(pid);
    expect(await world.move(roomId, to)).toMatchObject({ outcome: "completed" });
  });
});
