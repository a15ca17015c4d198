/** Whether this machine's criu really works: a small Node with an open TCP connection is dumped and restored. */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, waitFor } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { CONTAINER_FILES } from "@centroid/room-host";
import {
  CONTAINER_NAME,
  endContainer,
  findContainer,
  folderOf,
  pidFileOf,
  sharedOf,
} from "../container/find.js";
import { continuePrograms, stopPrograms } from "../container/processes.js";
import { buildRoot, ROOT_FILES } from "../container/room-root.js";
import { roomUser } from "../container/room-user.js";
import { criuProblem, openCriu } from "../criu/criu.js";
import { CriuWorker } from "../criu/criu-worker.js";

const PROGRAM = fileURLToPath(new URL("../../native/trial.mjs", import.meta.url));
const ROOM = "trial";
const ANSWER_TIMEOUT_MS = 5_000;
/** On a crowded machine. */
const START_TIMEOUT_MS = 30_000;

/** Why containers cannot be moved here, in one line; undefined if one was. */
export async function containerTrial(): Promise<string | undefined> {
  if (process.platform !== "linux") return "containers need Linux";
  if (process.getuid?.() !== 0) return "containers need root: run it with sudo";
  const problem = await criuProblem();
  if (problem !== undefined) return problem;
  const folder = await mkdtemp(join(tmpdir(), "centroid-trial-"));
  try {
    await tryIn(folder);
    return undefined;
  } catch (cause) {
    return CentroidError.from(cause).message;
  } finally {
    await endContainer(folder, ROOM).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryIn(folder: string): Promise<void> {
  const program = join(folder, "program");
  await mkdir(program);
  await writeFile(join(program, "main.mjs"), await readFile(PROGRAM));
  const root = await buildRoot(program, folder);
  const room = folderOf(folder, ROOM);
  const shared = sharedOf(room);
  const images = join(folder, "images");
  const control = join(shared, CONTAINER_FILES.control);
  await mkdir(shared, { recursive: true });
  await mkdir(images, { mode: 0o700 });
  await chmod(room, 0o700);
  const user = roomUser(await readFile("/proc/self/status", "utf8"));
  await run("chown", [`${user}:${user}`, shared]);
  const launcher = join(root, ROOT_FILES.launcher);
  const place = ["run", String(user), root, shared, CONTAINER_NAME, "--"];
  const pid = Number(await run(launcher, [...place, `/${ROOT_FILES.node}`, `/${ROOT_FILES.program}`]));
  await writeFile(pidFileOf(room), String(pid));
  await run("nsenter", [`--net=/proc/${pid}/ns/net`, "--", "ip", "link", "set", "lo", "up"]);
  await waitFor("a small Node in a container", () => answers(control), START_TIMEOUT_MS);
  await waitFor("the end of the question to it", () => existsSync(join(shared, CONTAINER_FILES.alone)));

  const criu = await openCriu(join(root, ROOT_FILES.criuWorker));
  await stopPrograms(pid);
  await using dumper = new CriuWorker(criu, { images, work: room, within: pid });
  await using restorer = new CriuWorker(criu, { images, work: room, within: pid, groups: [] });
  await dumper.dump(pid);
  await endContainer(folder, ROOM);
  await rm(control, { force: true });
  await writeFile(pidFileOf(room), String(await restorer.restore(root, shared)));
  const restored = await findContainer(dirname(room), ROOM);
  if (restored === undefined) throw new Error("what was restored does not run");
  continuePrograms(restored);
  await waitFor("what was restored", () => answers(control), START_TIMEOUT_MS);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write("alive"));
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.once("data", (data) => {
      resolve(data.toString() === "alive");
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve(false));
  });
}
