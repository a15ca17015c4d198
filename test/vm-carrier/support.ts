/** What the real-hypervisor tests share: whether they can run, the guest image, and finding QEMU. */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GuestPair, labProblem, type PairHost } from "@centroid/emulation";
import { buildGuestImage, type GuestImage } from "@centroid/vm-carrier";

/** Set to 1 to run all tiers with real virtual machines: many minutes of emulation. */
export const longTiers = process.env.CENTROID_HYPERVISORS === "1";

/** Why these tests cannot run here; which tiers run is said once per file. */
export async function labTierProblem(tier: string): Promise<string | undefined> {
  const problem = await labProblem();
  console.log(problem === undefined ? `runs: ${tier}` : `skipped: ${tier} (${problem})`);
  return problem;
}

/** The same for tiers that run only when asked for. */
export async function hypervisorProblem(tier: string): Promise<string | undefined> {
  if (longTiers) return labTierProblem(tier);
  const problem = "CENTROID_HYPERVISORS=1 runs it";
  console.log(`skipped: ${tier} (${problem})`);
  return problem;
}

/** Built once per machine: the image of the same inputs is taken as it is. */
export const testImageDirectory = join(tmpdir(), "centroid-test-image");

/** The same for the guest that rooms run in, with its template. */
export const testRoomsImageDirectory = join(tmpdir(), "centroid-test-vm-image");

export function testImage(): Promise<GuestImage> {
  return buildGuestImage({ directory: testImageDirectory });
}

/** Process id of a guest's QEMU on one host, as its libvirt wrote it down. */
export function qemuPid(pair: GuestPair, host: PairHost, guestName: string): number {
  return Number(
    readFileSync(join(pair.lab.directory, "hosts", host, "run/qemu", `${guestName}.pid`), "utf8"),
  );
}

/** The hosts on which a guest runs now. */
export async function runningOn(pair: GuestPair, uuid: string): Promise<PairHost[]> {
  const found: PairHost[] = [];
  for (const host of ["left", "right"] as const) {
    const connection = await pair.side(host).connect();
    try {
      const domains = await connection.listDomains();
      const domain = domains.find((candidate) => candidate.uuid === uuid);
      if (domain !== undefined) {
        const { state } = await domain.getState();
        found.push(host);
        if (state !== "running") throw new Error(`${host} holds a copy that is ${state}`);
      }
    } finally {
      await connection.close();
    }
  }
  return found;
}
