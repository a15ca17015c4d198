/** `centroid doctor`: what this machine can do, and what to install for the rest. */
import { execFile, spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { uwsProblem } from "@centroid/room-host/sockets";
import type { Command } from "commander";
import { color, EXIT, print, printJson, table } from "../terminal/output.js";

const exec = promisify(execFile);
/** A guest that has not said a word by then does not run. */
const GUEST_TIMEOUT_MS = 5_000;
const VERSION_TIMEOUT_MS = 5_000;

const OLDEST_NODE = { major: 20, minor: 19 };
/** https://nodejs.org/en/about/previous-releases: 20 ended in April 2026. */
const OLDEST_MAINTAINED_NODE = 22;
/** As in .nvmrc and docs/node.md. */
const RECOMMENDED_NODE = 24;

interface Finding {
  name: string;
  ok: boolean;
  /** What is there, or what is missing. */
  detail: string;
  neededFor: string;
  remedy?: string;
}

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description("check what this machine can run and what to install")
    .option("--json", "machine-readable output")
    .action(async ({ json = false }: { json?: boolean }) => {
      const findings = await examine();
      if (json) printJson({ findings });
      else {
        const rows = findings.map(({ name, ok, detail, neededFor, remedy }) => [
          ok ? color.green("yes") : color.yellow("no"),
          name,
          detail,
          neededFor,
          remedy ?? "",
        ]);
        print(table(["", "WHAT", "FOUND", "NEEDED FOR", "TO GET IT"], rows));
      }
      if (!findings.every(({ ok, neededFor }) => ok || neededFor !== "everything"))
        process.exitCode = EXIT.failed;
    });
}

async function examine(): Promise<Finding[]> {
  return Promise.all([
    node(),
    uws(),
    program("redis-server", "Redis", "several brokers", "apt-get install redis-server"),
    program(
      "libvirtd",
      "libvirt",
      "rooms in virtual machines",
      "apt-get install libvirt-daemon-system libvirt-clients libvirt-dev",
    ),
    program("qemu-system-x86_64", "QEMU", "rooms in virtual machines", "apt-get install qemu-system-x86"),
    kvm(),
    vmRooms(),
    containerRooms(),
    program("chromium", "Chromium", "browser tests", "apt-get install chromium"),
  ]);
}

async function node(): Promise<Finding> {
  const { node: version } = process.versions;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const found = { name: "Node", neededFor: "everything" };
  if (major < OLDEST_NODE.major || (major === OLDEST_NODE.major && minor < OLDEST_NODE.minor))
    return { ...found, ok: false, detail: version, remedy: `Node ${RECOMMENDED_NODE}: docs/node.md` };
  if (major < OLDEST_MAINTAINED_NODE)
    return { ...found, ok: true, detail: `${version}, no longer maintained; use ${RECOMMENDED_NODE}` };
  return { ...found, ok: true, detail: version };
}

async function uws(): Promise<Finding> {
  const found = { name: "uWebSockets.js", neededFor: "less CPU per message" };
  const problem = await uwsProblem();
  if (problem === undefined) return { ...found, ok: true, detail: "its binary loads" };
  return { ...found, ok: false, detail: `${problem}; ws is used`, remedy: "docs/node.md" };
}

async function program(command: string, name: string, neededFor: string, remedy: string): Promise<Finding> {
  const path = await which(command);
  if (path === undefined) return { name, ok: false, detail: `no ${command} on the PATH`, neededFor, remedy };
  const version = await exec(path, ["--version"], { timeout: VERSION_TIMEOUT_MS }).then(
    ({ stdout }) => stdout.split("\n")[0]?.trim() ?? path,
    () => path,
  );
  return { name, ok: true, detail: version, neededFor };
}

async function which(command: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"]) {
    const path = join(folder, command);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** The device file says little: some machines have it and abort at the first guest. So a guest is started. */
async function kvm(): Promise<Finding> {
  const found = {
    name: "KVM",
    neededFor: "virtual machines at full speed; without it they are emulated (TCG)",
  };
  const qemu = await which("qemu-system-x86_64");
  if (qemu === undefined)
    return {
      ...found,
      ok: false,
      detail: "not tested: QEMU is missing",
      remedy: "apt-get install qemu-system-x86",
    };
  if (
    !(await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ))
  ) {
    return {
      ...found,
      ok: false,
      detail: "no access to /dev/kvm; TCG is used",
      remedy: "a machine with virtualisation, and membership in group kvm",
    };
  }
  const fault = await guestFault(qemu);
  return fault === undefined
    ? { ...found, ok: true, detail: "runs a guest" }
    : {
        ...found,
        ok: false,
        detail: `/dev/kvm exists, but ${fault}; TCG is used`,
        remedy: "a machine whose KVM runs ordinary guests",
      };
}

/** What keeps a guest from running under KVM: its firmware says a word on the debug port if nothing does. */
function guestFault(qemu: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const machine = [
      "-accel",
      "kvm",
      "-cpu",
      "host",
      "-m",
      "64",
      "-nodefaults",
      "-display",
      "none",
      "-no-reboot",
    ];
    const voice = ["-chardev", "stdio,id=voice", "-device", "isa-debugcon,iobase=0x402,chardev=voice"];
    const child = spawn(qemu, [...machine, ...voice], { stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "the guest prints nothing";
    const timer = setTimeout(() => child.kill("SIGKILL"), GUEST_TIMEOUT_MS);
    child.stderr.on("data", (data: Buffer) => {
      complaint = data.toString().split("\n")[0] ?? complaint;
    });
    child.stdout.once("data", () => {
      resolve(undefined);
      child.kill("SIGKILL");
    });
    child.once("error", (error) => {
      complaint = error.message;
    });
    child.once("close", () => {
      clearTimeout(timer);
      resolve(complaint);
    });
  });
}

/** What `up --carrier vm` and `lab` need together: root, a tap device, a compiler, libvirt, QEMU and its addon. */
async function vmRooms(): Promise<Finding> {
  const found = { name: "rooms in VMs", neededFor: "centroid up --carrier vm, centroid lab" };
  const { labProblem } = await import("@centroid/emulation");
  const problem = await labProblem();
  if (problem === undefined) return { ...found, ok: true, detail: "everything is installed" };
  const [detail = problem, ...remedy] = problem.split(/: |\. /);
  return { ...found, ok: false, detail, remedy: remedy.join(": ") || "see docs/vm.md" };
}

/** Versions say little: one container is really dumped and restored, with a connection that has to survive it. */
async function containerRooms(): Promise<Finding> {
  const found = { name: "rooms in containers", neededFor: "moving rooms with --carrier container" };
  const { containerTrial } = await import("@centroid/container-carrier");
  const problem = await containerTrial();
  if (problem === undefined)
    return { ...found, ok: true, detail: "a program with an open connection was dumped and restored" };
  const [detail = problem, ...remedy] = problem.split(/: /);
  return { ...found, ok: false, detail, remedy: remedy.join(": ") || "see docs/containers.md" };
}
