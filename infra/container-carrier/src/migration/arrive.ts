/** One move of a room's container as its destination serves it: a place is made, the images come, the room runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { CentroidError } from "@centroid/protocol";
import type { Containers } from "../container/containers.js";
import { ImageFolder } from "../container/image-folder.js";
import { writeMark } from "../container/move-mark.js";
import { addCard } from "../container/network.js";
import { continuePrograms, programsOf } from "../container/processes.js";
import type { Criu } from "../criu/criu.js";
import { CriuWorker } from "../criu/criu-worker.js";
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
  const networkFd = openSync(`/proc/${network.pid}/ns/net`, "r");
  const groups = await containers.makeGroups(roomId);
  await using worker = new CriuWorker(criu, {
    images: images.path,
    work: containers.folder(roomId),
    card: { name: await containers.card(roomId), bridge: containers.config.bridge },
    place: { networkFd, groups: groups.early },
  });
  closeSync(networkFd);
  wire.send({ type: "prepared" });

  await receive(options, images.path, worker);
  const pid = await worker.restore(containers.config.root, containers.shared(roomId));
  // Whoever called it off ends what is here, and finds it by this.
  writeFileSync(containers.pidFile(roomId), String(pid));
  signal.throwIfAborted();
  continuePrograms(pid);
  for (const program of [pid, ...programsOf(pid)])
    for (const group of groups.late) writeFileSync(group, String(program));
}

/** Memory that comes ahead, as long as it does, and then criu's files, until the source says that this is all. */
async function receive(
  { wire, containers, signal }: ArriveOptions,
  folder: string,
  worker: CriuWorker,
): Promise<void> {
  using receiver = new ImageReceiver(
    folder,
    MOST_TIMES_ITS_MEMORY * containers.config.memoryMebibytes * 2 ** 20,
  );
  for (;;) {
    const said = await wire.receive(toDestinationSchema, signal);
    if (isOf(said, "restore")) return receiver.end(said.ahead);
    if (!isOf(said, "files"))
      throw new CentroidError("BAD_REQUEST", `the source said ${said.type} where files were expected`);
    // The room stands still from now on.
    if (said.round === 0) worker.hurry();
    await receiver.receive(wire, said, signal);
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
