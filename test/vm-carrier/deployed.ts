/** `centroid up --carrier vm` as users run it, for the tests of rooms in virtual machines. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "@centroid/emulation";
import { type OrderedMechanism, type Receipt, receiptSchema } from "@centroid/protocol";
import { expect } from "vitest";
import { Cli, type RunningCli } from "../support/run-cli.js";
import { testRoomsImageDirectory } from "./support.js";

const adminToken = "admin-token-of-the-vm-test";
/** Slow enough that a move takes seconds, so that faults hit the middle of it. */
const slowMegabitsPerS = 200;
const fastMegabitsPerS = 100_000;
/** Of the 150 MB that a guest has. */
const underWayBytes = 20e6;

export class DeployedVms implements AsyncDisposable {
  readonly #cli: Cli;
  readonly up: RunningCli;
  readonly url: string;

  private constructor(cli: Cli, up: RunningCli, url: string) {
    this.#cli = cli;
    this.up = up;
    this.url = url;
  }

  static async start(): Promise<DeployedVms> {
    const cli = await Cli.create();
    await cli.roomsStay();
    const state = join(cli.folder, "s");
    await mkdir(testRoomsImageDirectory, { recursive: true });
    await mkdir(state);
    await symlink(testRoomsImageDirectory, join(state, "vm-image"));
    const args = ["up", "--carrier", "vm", "--hosts", "2", "--port", "0", "--json", "--state-dir", state];
    const up = cli.start(args, { CENTROID_TOKEN: adminToken });
    try {
      const [, started = ""] = await up.says(/^(\{"type":"started".*\})$/m);
      return new DeployedVms(cli, up, (JSON.parse(started) as { url: string }).url);
    } catch (cause) {
      await cli[Symbol.asyncDispose]();
      throw cause;
    }
  }

  async get<T>(path: string): Promise<T> {
    const headers = { authorization: `Bearer ${adminToken}` };
    return (await (await fetch(`${this.url}/api/v1${path}`, { headers })).json()) as T;
  }

  async hostOf(roomId: string): Promise<string | undefined> {
    const rooms = await this.get<{ roomId: string; hostId: string; state: string }[]>("/rooms");
    return rooms.find((room) => room.roomId === roomId && room.state === "running")?.hostId;
  }

  async move(roomId: string, toHostId: string, mechanism?: OrderedMechanism): Promise<Receipt> {
    const how = mechanism === undefined ? [] : ["--mechanism", mechanism];
    const args = ["move", roomId, toHostId, ...how, "--json", "--broker", this.url];
    const moved = await this.#cli.run(args, { CENTROID_TOKEN: adminToken });
    return receiptSchema.parse(JSON.parse(moved.out));
  }

  /** Moves the room over a slow link and breaks something once the copy is under way. */
  async moveAnd(
    lab: Lab,
    roomId: string,
    fault: (from: string, to: string) => Promise<void> | void,
  ): Promise<Receipt> {
    await expect.poll(() => this.hostOf(roomId)).toBeDefined();
    const from = (await this.hostOf(roomId)) ?? "";
    const to = from === "frankfurt" ? "virginia" : "frankfurt";
    const crossed = async (): Promise<number> => {
      const links = await lab.traffic();
      return links.find((link) => link.from === from && link.to === to)?.bytes ?? 0;
    };
    await lab.setLink(from, to, { megabitsPerS: slowMegabitsPerS });
    try {
      const before = await crossed();
      const moved = this.move(roomId, to);
      await expect.poll(crossed, { timeout: 30_000, interval: 20 }).toBeGreaterThan(before + underWayBytes);
      await fault(from, to);
      return await moved;
    } finally {
      await lab.setLink(from, to, { megabitsPerS: fastMegabitsPerS, up: true });
    }
  }

  get lab(): string {
    return `up${this.up.child.pid}`;
  }

  /** Of a room's VM on one host. */
  qemuPid(hostId: string, roomId: string): number {
    const path = join("/run/centroid", this.lab, "hosts", hostId, "run/qemu", `room-${roomId}.pid`);
    return Number(readFileSync(path, "utf8"));
  }

  /** Namespaces, files and processes of its network that are still there. */
  leftovers(): string[] {
    const namespaces = readdirSync("/run/netns").filter((name) => name.startsWith(`centroid-${this.lab}-`));
    const files = readdirSync("/run/centroid").filter((name) => name === this.lab);
    const processes = readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`/run/centroid/${this.lab}/`);
      } catch {
        return false;
      }
    });
    return [...namespaces, ...files, ...processes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.up.kill("SIGINT");
    await this.#cli[Symbol.asyncDispose]();
  }
}
