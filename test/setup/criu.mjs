/**
 * Gets a criu that works with the running kernel, for the tests of rooms in containers. Debian's older releases have
 * one that recent kernels do not run; its newest is unpacked beside its own libraries, and nothing is installed.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Where the carrier looks first; `OWN_CRIU` in infra/container-carrier/src/criu/criu.ts. */
const HOME = "/var/lib/centroid/criu";
/** Earlier ones refuse TCP sockets on Linux 6.13 and later. */
const LEAST = [4, 2];
const LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/** Says in one line what it did, or why there is none. */
export function getCriu() {
  const found = [join(HOME, "criu"), "criu"].find(works);
  if (found !== undefined) return;
  if (process.getuid?.() !== 0 || process.arch !== "x64" || !existsSync("/usr/bin/apt-get")) {
    console.log(
      `tests of rooms in containers are skipped: they need root and criu ${LEAST.join(".")} or later`,
    );
    return;
  }
  const work = mkdtempSync(join(tmpdir(), "centroid-criu-"));
  try {
    console.log("unpacking Debian's newest criu");
    unpack(work);
    console.log(`criu: ${versionOf(join(HOME, "criu"))}`);
  } catch (error) {
    const why = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    console.log(`no criu (${why}); tests of rooms in containers are skipped`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function versionOf(program) {
  const said = execFileSync(program, ["--version"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return /Version:\s*(\S+)/.exec(said)?.[1] ?? "0";
}

function works(program) {
  try {
    const [major = 0, minor = 0] = versionOf(program).split(".").map(Number);
    return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);
  } catch {
    return false;
  }
}

/** apt with folders of its own: the machine's lists and packages stay as they are. */
function unpack(work) {
  for (const folder of ["lists/partial", "archives/partial"])
    mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(join(work, "status"), "");
  writeFileSync(join(work, "sources.list"), newestOf(debianMirror()));
  const options = {
    "Dir::State::lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": work,
    "Dir::Etc::sourcelist": join(work, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
  };
  const apt = (...args) =>
    execFileSync(
      "apt-get",
      [...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]), ...args],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
  apt("update", "-qq");
  // With no package installed, all that it needs is fetched with it.
  apt("install", "-y", "-qq", "--download-only", "--no-install-recommends", "criu");
  const fresh = join(work, "root");
  for (const archive of readdirSync(join(work, "archives")).filter((name) => name.endsWith(".deb")))
    execFileSync("dpkg-deb", ["-x", join(work, "archives", archive), fresh]);
  // Its C library is newer than the system's: both are started together.
  const libraries = join(HOME, dirname(LOADER));
  const start = `exec ${join(HOME, LOADER)} --library-path ${libraries} ${join(HOME, "usr/sbin/criu")} "$@"`;
  writeFileSync(join(fresh, "criu"), `#!/bin/sh\n${start}\n`);
  chmodSync(join(fresh, "criu"), 0o755);
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(dirname(HOME), { recursive: true });
  execFileSync("cp", ["-a", fresh, `${HOME}.new`]);
  renameSync(`${HOME}.new`, HOME);
}

/** Where this machine gets Debian from. */
function debianMirror() {
  const lines = execFileSync(
    "apt-get",
    ["indextargets", "--format", "$(ORIGIN) $(CODENAME) $(SITE)", "Created-By: Packages"],
    {
      encoding: "utf8",
    },
  );
  const rows = lines.split("\n").map((line) => line.split(" "));
  const site = rows.find(([origin, suite]) => origin === "Debian" && /^[a-z]+$/.test(suite))?.[2];
  if (site === undefined) throw new Error("apt has no source of Debian");
  return site;
}

function newestOf(site) {
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  return `deb ${existsSync(key) ? `[signed-by=${key}] ` : ""}${site} sid main\n`;
}
