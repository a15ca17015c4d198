/** What a lab needs and this machine has not. */
import { existsSync } from "node:fs";
import { addonProblem } from "@centroid/node-libvirt";
import { run } from "@centroid/vm-carrier";

/** Why no lab can run here, in one line, or undefined. */
export async function labProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root: run it with sudo";
  if (!existsSync("/dev/net/tun")) return "/dev/net/tun is missing: load the kernel module tun";
  const needed = {
    ip: ["iproute2", ["-V"]],
    unshare: ["util-linux", ["--version"]],
    cc: ["gcc", ["--version"]],
    libvirtd: ["libvirt-daemon", ["--version"]],
    "qemu-system-x86_64": ["qemu-system-x86", ["--version"]],
  } as const;
  for (const [program, [debianPackage, args]] of Object.entries(needed)) {
    try {
      await run(program, args);
    } catch {
      return `${program} is missing: apt-get install ${debianPackage}`;
    }
  }
  return addonProblem()?.message;
}
