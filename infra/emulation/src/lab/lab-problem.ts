/** What a lab needs and this machine has not. */
import { existsSync } from "node:fs";
import { run } from "@centroid/agent";
import { addonProblem } from "@centroid/node-libvirt";

/** What the hosts of a lab run rooms in. */
export type LabKind = "machines" | "containers";

/** Why no lab can run here, in one line, or undefined. */
export async function labProblem(kind: LabKind = "machines"): Promise<string | undefined> {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root: run it with sudo";
  if (!existsSync("/dev/net/tun")) return "/dev/net/tun is missing: load the kernel module tun";
  const needed: Record<string, readonly [string, readonly string[]]> = {
    ip: ["iproute2", ["-V"]],
    unshare: ["util-linux", ["--version"]],
    cc: ["gcc", ["--version"]],
    ...(kind === "machines" && {
      libvirtd: ["libvirt-daemon", ["--version"]],
      "qemu-system-x86_64": ["qemu-system-x86", ["--version"]],
    }),
  };
  for (const [program, [debianPackage, args]] of Object.entries(needed)) {
    try {
      await run(program, args);
    } catch {
      return `${program} is missing: apt-get install ${debianPackage}`;
    }
  }
  return kind === "machines" ? addonProblem()?.message : undefined;
}
