/**
 * Makes sure that what the tests need from the system is there. As root on Debian it installs what is missing;
 * otherwise it says in one line what to run, and the tests that need it say that they are skipped.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { getCriu } from "./criu.mjs";

const LIBVIRT_HEADER = "/usr/include/libvirt/libvirt.h";

/** Debian package and a program by which it is recognised. */
const NEEDED = [
  ["chromium", "chromium"],
  ["redis-server", "redis-server"],
  ["redis-sentinel", "redis-sentinel"],
  ["nginx-light", "nginx"],
  ["caddy", "caddy"],
  ["libvirt-daemon", "libvirtd"],
  [
    "libvirt-daemon-driver-qemu",
    "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
  ],
  ["libvirt-clients", "virsh"],
  ["libvirt-dev", LIBVIRT_HEADER],
  ["pkg-config", "pkg-config"],
  ["qemu-system-x86", "qemu-system-x86_64"],
  ["iproute2", "ip"],
  ["procps", "sysctl"],
  ["kmod", "modprobe"],
  ["zstd", "zstd"],
  ["binutils", "strip"],
  ["make", "make"],
  ["g++", "g++"],
];

const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/local/sbin"];
const has = (program) =>
  program.startsWith("/") ? existsSync(program) : folders.some((folder) => existsSync(join(folder, program)));
const missing = [...new Set(NEEDED.filter(([, program]) => !has(program)).map(([name]) => name))];

if (missing.length > 0) {
  const install = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const root = process.getuid?.() === 0;
  if (root && existsSync("/usr/bin/apt-get")) installPackages(missing);
  else console.log(`some tests need more and will be skipped; as root run: ${install}`);
}

buildLibvirtAddon();
getCriu();

/** The binding's tests need its native part; everything else does without. */
function buildLibvirtAddon() {
  const addon = new URL("../../infra/node-libvirt/build/Release/addon.node", import.meta.url);
  if (existsSync(addon) || !existsSync(LIBVIRT_HEADER)) return;
  try {
    execFileSync("npm", ["run", "--silent", "build:libvirt"], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    console.log(
      `the libvirt binding does not build (${String(error.stderr ?? error).split("\n")[0]}); its tests are skipped`,
    );
  }
}

/** Installs without starting the services that the packages bring: tests start their own. */
function installPackages(names) {
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) {
    writeFileSync(policy, "#!/bin/sh\nexit 101\n");
    chmodSync(policy, 0o755);
  }
  const run = (...args) =>
    execFileSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  try {
    console.log(`installing ${names.join(" ")}`);
    run("update", "-qq");
    run("install", "-y", "-qq", "--no-install-recommends", ...names);
  } catch (error) {
    console.log(
      `apt-get failed (${error.message.split("\n")[0]}); tests that need these packages will be skipped`,
    );
  } finally {
    if (ours) rmSync(policy);
  }
}
