/** One move of a room's container as its destination serves it: a place is made, the images come, the room runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CentroidError } from "@centroid/protocol";
import type { Containers } from "../container/containers.js";
import { ImageFolder } from "../container/image-folder.js";
import { writeMark } from "../container/move-mark.js";
import { addCard, plugCommand } from "../container/network.js";
import { continuePrograms } from "../container/processes.js";
import { type Criu, restore, SOCKETS_RESTORED } from "../criu/criu.js";
import { ImageReceiver } from "./image-files.js";
import { type ImageWire, type ToDestination, toDestinationSchema } from "./image-wire.js";

/** Pages that change are sent again. */
const MOST_TIMES_ITS_MEMORY = 3;

export interface ArriveOptions {
  readonly roomId: string;
  readonly migrationId: string;
  readonly containers: Containers;
  readonly criu: Criu;
  readonly wire: ImageWire;
  readonly signal: AbortSignal;
}

/**
 * Resolves when its programs run here; whether the room does is for the caller to find out.
 * @throws CentroidError; whatever there is of it here is then for the caller to destroy
 */
export async function arriveFromHost(options: ArriveOptions): Promise<void> {
  const { roomId, migrationId, containers, criu, wire, signal } = options;
  const { address } = await expect(options, "prepare");
  await containers.makeFolders(roomId);
  await writeMark(containers.folder(roomId), { state: "arriving", migrationId });
  await using network = await holdNetwork(containers.launcher);
  await addCard(await containers.card(roomId), network.pid, address);
  await using images = await ImageFolder.make(containers.config);
  const groups = await containers.makeGroups(roomId);
  const hook = await writeHook(containers, roomId);
  wire.send({ type: "prepared" });

  await receive(options, images.path);
  await expect(options, "restore");
  const networkFd = openSync(`/proc/${network.pid}/ns/net`, "r");
  try {
    await restore(criu, {
      images: images.path,
      work: containers.folder(roomId),
      root: containers.config.root,
      shared: containers.shared(roomId),
      networkFd,
      groups,
      pidFile: containers.pidFile(roomId),
      onSocketsRestored: hook,
    });
  } finally {
    closeSync(networkFd);
  }
  signal.throwIfAborted();
  await continuePrograms(Number(await readFile(containers.pidFile(roomId), "utf8")));
}

/** Memory that comes ahead, as long as it does, and then criu's files. */
async function receive({ wire, containers, signal }: ArriveOptions, folder: string): Promise<void> {
  const receiver = new ImageReceiver(MOST_TIMES_ITS_MEMORY * containers.config.memoryMebibytes * 2 ** 20);
  for (;;) {
    const said = await wire.receive(toDestinationSchema, signal);
    if (isOf(said, "images")) return receiver.folder(wire, said, folder, signal);
    if (!isOf(said, "pages"))
      throw new CentroidError("BAD_REQUEST", `the source said ${said.type} where images were expected`);
    await receiver.pages(wire, said, signal);
  }
}

async function expect<T extends ToDestination["type"]>(
  { wire, signal }: ArriveOptions,
  type: T,
): Promise<Extract<ToDestination, { type: T }>> {
  const said = await wire.receive(toDestinationSchema, signal);
  if (isOf(said, type)) return said;
  throw new CentroidError("BAD_REQUEST", `the source said ${said.type} where ${type} was expected`);
}

const isOf = <T extends ToDestination["type"]>(
  said: ToDestination,
  type: T,
): said is Extract<ToDestination, { type: T }> => said.type === type;

/** Plugs the card in between: before, the kernel would reset connections; later, TCP waits a second for its next try. */
async function writeHook(containers: Containers, roomId: string): Promise<string> {
  const path = join(containers.folder(roomId), "plug.sh");
  const { variable, value } = SOCKETS_RESTORED;
  const command = plugCommand(await containers.card(roomId), containers.config.bridge).join(" ");
  await writeFile(path, `#!/bin/sh\n[ "$${variable}" = ${value} ] || exit 0\nexec ${command}\n`);
  await chmod(path, 0o700);
  return path;
}

interface HeldNetwork extends AsyncDisposable {
  readonly pid: number;
}

/** An empty network namespace, for as long as nothing runs in it. */
async function holdNetwork(launcher: string): Promise<HeldNetwork> {
  const child: ChildProcess = spawn(launcher, ["network"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new CentroidError("INTERNAL", "no network namespace can be made here")));
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line)));
  });
  return {
    pid,
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await ended;
    },
  };
}
