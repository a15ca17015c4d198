/**
 * Live migration between two real hypervisors, and what breaks it: a killed QEMU, a killed libvirt, a cut
 * backbone, a checkpoint that fails. After each, exactly one copy runs, or none and the outcome says so.
 */

import { GuestPair, type LabPlayer } from "@centroid/emulation";
import type { LibvirtEvent } from "@centroid/node-libvirt";
import type { Guest, GuestHost, VmProgress } from "@centroid/vm-carrier";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { libvirtContract, nextEvent } from "../node-libvirt/contract.js";
import { hypervisorProblem, qemuPid, runningOn, testImage } from "./support.js";

const problem = await hypervisorProblem("real two-hypervisor tier");

/** Slow enough that a pre-copy lasts for seconds, so that faults hit the middle of it. */
const slowMegabitsPerS = 200;
const deadlineMs = 30_000;

describe.skipIf(problem !== undefined)("between two hypervisors", () => {
  let pair: GuestPair;
  let left: GuestHost;
  let guest: Guest;
  let player: LabPlayer;

  beforeAll(async () => {
    pair = await GuestPair.up({
      name: `m${process.pid}`,
      image: await testImage(),
      accelerator: "tcg",
      memoryMebibytes: 256,
    });
    left = await pair.guestHost("left");
    await left.prepareTemplate();
    await freshGuest();
  }, 180_000);
  afterAll(async () => {
    await player?.[Symbol.asyncDispose]();
    await pair?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await pair.lab.setLink("left", "right", { up: true, megabitsPerS: 100_000 });
    await pair.lab.setLink("players", "left", { up: true });
    // Each test starts with the guest at the left, also after one that failed.
    const [at] = await runningOn(pair, guest.domain.uuid).catch(() => []);
    player.setLoad("idle", 0);
    if (at === "right") {
      await pair.migrate(guest, "right", { mode: "hybrid", deadlineMs, checkpoint: async () => {} });
    }
    if (at === undefined) await freshGuest();
  });

  async function freshGuest(): Promise<void> {
    await player?.[Symbol.asyncDispose]();
    guest = await pair.startGuest(left);
    player = await pair.connectPlayer(guest);
  }

  /** Frames go on arriving over the connection that was opened before. */
  async function stillPlaying(): Promise<void> {
    player.mark();
    await expect.poll(async () => (await player.report()).frames, { timeout: 30_000 }).toBeGreaterThan(20);
    expect(await player.report()).toMatchObject({ lost: 0, connected: true });
  }

  describe("the binding", () => {
    libvirtContract({
      uri: () => pair.lab.host("right").uri,
      domainXml: (name) =>
        `<domain type="qemu"><name>${name}</name><memory unit="MiB">32</memory>
         <os><type arch="x86_64" machine="q35">hvm</type></os><devices><memballoon model="none"/></devices></domain>`,
      savePath: () => "/var/lib/libvirt/contract-saved",
    });
  });

  it("starts guests from the template, each with an identity and entropy of its own", async () => {
    const clones = [await pair.startGuest(left), await pair.startGuest(left)];
    try {
      expect(clones.map((clone) => clone.startedFrom)).toEqual(["template", "template"]);
      const told = await Promise.all(clones.map((clone) => left.ask(clone.domain.name, "uuid")));
      const [one, two] = told.map((line) => line.split(" "));
      expect(one![1]).not.toBe(two![1]);
      for (const [, , clock] of [one!, two!])
        expect(Math.abs(Number(clock) - Date.now())).toBeLessThan(60_000);
      expect(new Set(clones.map((clone) => clone.domain.uuid)).size).toBe(2);
    } finally {
      for (const clone of clones) await clone.domain.destroy();
    }
  });

  it("moves a guest by pre-copy; the open connection loses nothing", async () => {
    const outcome = await pair.migrate(guest, "left", { mode: "precopy", deadlineMs });
    expect(outcome).toMatchObject({ outcome: "completed", owner: "destination", mechanism: "precopy" });
    expect(outcome.bytes).toBeGreaterThan(20e6);
    expect(outcome.prediction?.totalMs).toBeGreaterThan(0);
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["right"]);
    await stillPlaying();
  });

  it("ends a migration that never converges by post-copy, with the state kept safe before", async () => {
    player.setLoad("memory", 32);
    await stillPlaying();
    // Less than the guest writes between two passes, however busy this machine is.
    await pair.lab.setLink("left", "right", { megabitsPerS: 2 * slowMegabitsPerS });
    const steps: string[] = [];
    const outcome = await pair.migrate(guest, "left", {
      mode: "hybrid",
      deadlineMs,
      checkpoint: async () => void steps.push("checkpoint"),
      onProgress: ({ step }) => {
        if (step === "post-copy") steps.push(step);
      },
    });
    expect(outcome).toMatchObject({ outcome: "completed", mechanism: "hybrid", checkpointed: true });
    expect(outcome.totalMs).toBeLessThan(deadlineMs / 3);
    expect(steps).toEqual(["checkpoint", "post-copy"]);
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["right"]);
    await stillPlaying();
  });

  /** Breaks something once the first pass is under way. */
  async function migrateAnd(
    fault: () => Promise<void> | void,
    at: VmProgress["step"],
    options: Partial<Parameters<GuestPair["migrate"]>[2]> = {},
  ) {
    await pair.lab.setLink("left", "right", { megabitsPerS: slowMegabitsPerS });
    let done: Promise<void> | undefined;
    const outcome = await pair.migrate(guest, "left", {
      mode: "precopy",
      deadlineMs,
      ...options,
      onProgress: ({ step }) => {
        if (step === at) done ??= Promise.resolve(fault());
      },
    });
    expect(done, `the fault at "${at}" was never injected`).toBeDefined();
    await done;
    return outcome;
  }

  it("goes on at the source when the destination's QEMU is killed in pre-copy", async () => {
    const outcome = await migrateAnd(() => {
      process.kill(qemuPid(pair, "right", guest.domain.name), "SIGKILL");
    }, "iteration");
    expect(outcome).toMatchObject({ outcome: "rolled-back", owner: "source" });
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["left"]);
    await stillPlaying();
  });

  it("goes on at the source when the destination's libvirt is killed in pre-copy", async () => {
    const outcome = await migrateAnd(async () => {
      process.kill((await pair.lab.hypervisorPid("right"))!, "SIGKILL");
      await pair.lab.startHypervisor("right");
    }, "iteration");
    expect(outcome).toMatchObject({ outcome: "rolled-back", owner: "source" });
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["left"]);
    await stillPlaying();
  });

  it("goes on at the source when its own libvirt is killed in pre-copy and comes back", async () => {
    const outcome = await migrateAnd(async () => {
      process.kill((await pair.lab.hypervisorPid("left"))!, "SIGKILL");
      await pair.lab.startHypervisor("left");
    }, "iteration");
    left = await pair.guestHost("left");
    expect(outcome.owner).not.toBe("none");
    expect(await runningOn(pair, guest.domain.uuid)).toHaveLength(1);
    await stillPlaying();
  });

  it("goes on at the source when the backbone is cut in pre-copy", async () => {
    const outcome = await migrateAnd(
      async () => void (await pair.lab.setLink("left", "right", { up: false })),
      "iteration",
      { deadlineMs: 8000 },
    );
    expect(outcome).toMatchObject({ outcome: "rolled-back", owner: "source" });
    await pair.lab.setLink("left", "right", { up: true });
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["left"]);
    await stillPlaying();
  });

  it("takes a migration back that is aborted", async () => {
    const abort = new AbortController();
    const outcome = await migrateAnd(() => abort.abort(new Error("the operator said so")), "iteration", {
      signal: abort.signal,
    });
    expect(outcome).toMatchObject({ outcome: "rolled-back", owner: "source" });
    expect(outcome.error?.message).toBe("the operator said so");
    expect(await runningOn(pair, guest.domain.uuid)).toEqual(["left"]);
    await stillPlaying();
  });

  it("does not enter post-copy when the checkpoint cannot be written", async () => {
    const steps: string[] = [];
    const outcome = await pair.migrate(guest, "left", {
      mode: "postcopy",
      deadlineMs,
      checkpoint: async () => {
        throw new Error("no space left on device");
      },
      onProgress: ({ step }) => void steps.push(step),
    });
    expect(steps).not.toContain("post-copy");
    expect(outcome.checkpointed).toBe(false);
    expect(outcome.owner).not.toBe("none");
    expect(await runningOn(pair, guest.domain.uuid)).toHaveLength(1);
    await stillPlaying();
  });

  it("keeps players whose own link is cut for three seconds", async () => {
    await pair.lab.setLink("players", "left", { up: false });
    player.mark();
    await expect.poll(async () => (await player.report()).gapMs, { timeout: 6000 }).toBeGreaterThan(3000);
    await pair.lab.setLink("players", "left", { up: true });
    await stillPlaying();
  });

  it.each(["right", "left"] as const)(
    "says the guest is lost, and leaves no half of it, when QEMU on the %s is killed in post-copy",
    async (side) => {
      await pair.lab.setLink("left", "right", { megabitsPerS: slowMegabitsPerS });
      // From here on the newest state is at the right and most of the memory still at the left.
      const resumed = nextEvent(
        await pair.connect("right"),
        (event): event is LibvirtEvent => event.type === "lifecycle" && event.kind === "resumed",
      );
      const killed = resumed.then(() => process.kill(qemuPid(pair, side, guest.domain.name), "SIGKILL"));
      const outcome = await pair.migrate(guest, "left", {
        mode: "postcopy",
        deadlineMs,
        checkpoint: async () => {},
      });
      await killed;
      expect(outcome).toMatchObject({ outcome: "failed", owner: "none", checkpointed: true });
      expect(await runningOn(pair, guest.domain.uuid)).toEqual([]);
    },
  );
});
