/** Whether guests run under KVM here. Only a guest that has run proves it: the device file alone does not. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { GuestImage } from "../image/image.js";
import type { Accelerator } from "./domain-xml.js";

/** A guest under KVM is up in about a second; one that is not by then had to be emulated anyway. */
const proofTimeoutMs = 10_000;

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** One line for people when it is not KVM. */
  readonly notice?: string;
}

function emulated(why: string): AcceleratorChoice {
  return { accelerator: "tcg", notice: `rooms' VMs are emulated in software, several times slower: ${why}` };
}

/** Boots the image under KVM and waits for its program to say it is ready. */
export function detectAccelerator(image: GuestImage): Promise<AcceleratorChoice> {
  if (!existsSync("/dev/kvm")) return Promise.resolve(emulated("/dev/kvm is missing"));
  return new Promise((resolve) => {
    const machine = ["-M", "q35", "-accel", "kvm", "-cpu", "Nehalem", "-m", "256", "-nodefaults"];
    const guest = ["-kernel", image.kernelPath, "-initrd", image.initramfsPath, "-append", "quiet panic=-1"];
    const ports = ["-display", "none", "-no-reboot", "-serial", "null", "-serial", "stdio"];
    const child = spawn("qemu-system-x86_64", [...machine, ...guest, ...ports], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let said = "";
    let choice = emulated("a guest under KVM did not start");
    const timer = setTimeout(() => child.kill("SIGKILL"), proofTimeoutMs);
    child.stdout.on("data", (data: Buffer) => {
      said += data.toString();
      if (!said.includes("ready ")) return;
      choice = { accelerator: "kvm" };
      child.kill("SIGKILL");
    });
    child.on("error", () => {
      choice = emulated("QEMU is not installed");
    });
    child.on("close", () => {
      clearTimeout(timer);
      resolve(choice);
    });
  });
}
