/** Debian's kernel for virtual machines, found by apt, which verifies its signature chain. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, run } from "@centroid/agent";

/** The metapackage: apt picks the kernel that Debian supports now. */
const kernelPackage = "linux-image-cloud-amd64";

export interface DebianKernel {
  /** `package=version`, as `apt-get download` takes it. */
  readonly spec: string;
  /** What apt must be told to find it. */
  readonly options: readonly string[];
}

/** apt would read and write as a user that may not enter our folders. */
const asWeAre = ["-o", "APT::Sandbox::User=root"];

async function find(options: readonly string[]): Promise<string | undefined> {
  try {
    const depends = await run("apt-cache", [...options, "depends", kernelPackage]);
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (name === undefined) return undefined;
    const shown = await run("apt-cache", [...options, "show", "--no-all-versions", name]);
    const version = /^Version: (\S+)/m.exec(shown)?.[1];
    return version === undefined ? undefined : `${name}=${version}`;
  } catch (error) {
    // It knows no such package.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/**
 * By the machine's own package lists; where it has none yet, by lists fetched into `work`, which leaves the
 * machine's as they are.
 * @throws {CommandError} when Debian cannot be reached
 */
export async function findKernel(work: string, onStep: (step: string) => void): Promise<DebianKernel> {
  onStep("asking apt for the kernel's version");
  const known = await find(asWeAre);
  if (known !== undefined) return { spec: known, options: asWeAre };
  onStep("fetching Debian's package lists");
  const state = join(work, "apt");
  for (const folder of ["lists/partial", "cache/archives/partial"])
    await mkdir(join(state, folder), { recursive: true });
  const places = ["-o", `Dir::State::lists=${state}/lists`, "-o", `Dir::Cache=${state}/cache`];
  const options = [...asWeAre, ...places];
  await run("apt-get", ["update", "-qq", ...options]);
  const fetched = await find(options);
  if (fetched === undefined)
    throw new Error(`apt knows no ${kernelPackage}: is Debian's main in its sources?`);
  return { spec: fetched, options };
}
