/** One move of a room's container as its destination serves it: a place is made, the images come, the room runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { CentroidError } from "@centroid/protocol";
import type { Containers } from "../container/containers.js";
import { CONTAINER_NAME } from "../container/find.js";
import { ImageFolder } from "../container/image-folder.js";
import { writeMark } from "../container/move-mark.js";
import { addCard } from "../container/network.js";
import { continuePrograms, programsOf } from "../container/processes.js";
import type { Criu } from "../criu/criu.js";
import { CriuWorker } from "../criu/criu-worker.js";
import { LazyPages } from "../memory/lazy-pages.js";
import { ImageReceiver } from "./image-files.js";
import { type ImageWire, type ToDestination, toDestinationSchema } from "./image-wire.js";

/** A link that is cut says nothing, and a room that waits for memory hangs: longer than a source waits for its end. */
const STALL_MS = 5_000;
/** Pages that change are sent again. */
const MOST_TIMES_ITS_MEMORY = 3;

export interface ArriveOptions {
  readonly roomId: string;
  readonly migrationId: string;
  readonly containers: Containers;
  readonly criu: Criu;
  /** Somebody else than criu can give a container its memory here. */
  readonly hasLazyPages: boolean;
  readonly wire: ImageWire;
  readonly signal: AbortSignal;
  /** It is about to run here, with all its memory or without. */
  readonly onRun: (isWhole: boolean) => void;
  /** Finds out whether the room runs. @throws CentroidError if it does not */
  readonly hasArrived: () => Promise<void>;
}

/**
 * Resolves when the room runs here with all its memory.
 * @throws CentroidError; whatever there is of it here is then for the caller to destroy
 */
export async function arriveFromHost(options: ArriveOptions): Promise<void> {
  const { roomId, migrationId, containers, criu, wire, signal } = options;
  const { address } = await expect(options, "prepare");
  await containers.makeFolders(roomId);
  const [work, shared] = [containers.folder(roomId), containers.shared(roomId)];
  await writeMark(work, { state: "arriving", migrationId });
  await using namespaces = await holdNamespaces(containers.launcher);
  await addCard(await containers.card(roomId), namespaces.pid, address);
  await using images = await ImageFolder.make(containers.config);
  const groups = await containers.makeGroups(roomId);
  await using worker = new CriuWorker(criu, {
    images: images.path,
    work,
    card: { name: await containers.card(roomId), bridge: containers.config.bridge },
    within: namespaces.pid,
    groups: groups.early,
  });
  await using pages = options.hasLazyPages
    ? new LazyPages({
        program: containers.lazyPages,
        images: images.path,
        work,
        onWanted: (pid, at) => wire.send({ type: "wanted", pid, at }),
      })
    : undefined;
  wire.send({ type: "prepared" });

  const mostBytes = MOST_TIMES_ITS_MEMORY * containers.config.memoryMebibytes * 2 ** 20;
  using receiver = new ImageReceiver(images.path, mostBytes);
  const restore = await receive(options, receiver, worker);
  if (restore.lazy && pages === undefined)
    throw new CentroidError("BAD_REQUEST", "a room runs here with all its memory or not at all");
  // criu needs it later than all else.
  const restored = worker.restore(containers.config.root, shared, pages !== undefined);
  restored.catch(() => undefined);
  pages?.tell(restore.ahead);
  const later = restore.lazy ? pages : undefined;
  const following = later === undefined ? Promise.resolve() : receivePages(options, receiver, later);
  following.catch(() => undefined);
  // Without its memory criu waits for ever.
  const pid = await (pages === undefined ? restored : Promise.race([restored, pages.failure()]));
  if (later === undefined) await pages?.complete();
  // From here on whoever lets go of its memory ends it, as does whoever removes it: both find it by this.
  writeFileSync(containers.pidFile(roomId), String(pid));
  if (later?.isHeld() === false) throw new CentroidError("MIGRATION_FAILED", "nobody gives it its memory");
  // The last moment to call it off.
  signal.throwIfAborted();
  options.onRun(later === undefined);
  continuePrograms(pid);
  for (const program of [pid, ...programsOf(pid)])
    for (const group of groups.late) writeFileSync(group, String(program));
  const arrived = options.hasArrived();
  // What is let go of here takes a while, and whoever awaits this hears of a failure afterwards.
  arrived.catch(() => undefined);
  if (later === undefined) return arrived;
  const running = arrived.then(() => wire.send({ type: "running" }));
  await Promise.race([Promise.all([running, following.then(() => later.complete())]), later.failure()]);
}

/** Memory that comes ahead, as long as it does, and then criu's files, until the source says that it can be restored. */
async function receive(
  { wire, signal }: ArriveOptions,
  receiver: ImageReceiver,
  worker: CriuWorker,
): Promise<Extract<ToDestination, { type: "restore" }>> {
  for (;;) {
    const said = await wire.receive(toDestinationSchema, signal);
    if (isOf(said, "restore")) {
      receiver.end(said.ahead);
      return said;
    }
    if (!isOf(said, "files")) throw unexpected(said, "files");
    // The room stands still from now on.
    if (said.round === 0) worker.hurry();
    await receiver.receive(wire, said, signal);
  }
}

/** Memory of a room that runs already, until that is all. */
async function receivePages(
  { wire, signal }: ArriveOptions,
  receiver: ImageReceiver,
  lazyPages: LazyPages,
): Promise<void> {
  for (;;) {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(STALL_MS)]);
    const said = await wire.receive(toDestinationSchema, inTime);
    if (isOf(said, "all")) return;
    if (!isOf(said, "pages")) throw unexpected(said, "pages");
    await receiver.receivePages(wire, said, inTime);
    lazyPages.arrived(said.pid, said.at, said.count);
  }
}

async function expect<T extends ToDestination["type"]>(
  { wire, signal }: ArriveOptions,
  type: T,
): Promise<Extract<ToDestination, { type: T }>> {
  const said = await wire.receive(toDestinationSchema, signal);
  if (isOf(said, type)) return said;
  throw unexpected(said, type);
}

const unexpected = (said: ToDestination, type: ToDestination["type"]): CentroidError =>
  new CentroidError("BAD_REQUEST", `the source said ${said.type} where ${type} was expected`);

const isOf = <T extends ToDestination["type"]>(
  said: ToDestination,
  type: T,
): said is Extract<ToDestination, { type: T }> => said.type === type;

interface HeldNamespaces extends AsyncDisposable {
  readonly pid: number;
}

/** Namespaces of a container that is to come, for as long as nothing runs in them. */
async function holdNamespaces(launcher: string): Promise<HeldNamespaces> {
  const child: ChildProcess = spawn(launcher, ["hold", CONTAINER_NAME], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new CentroidError("INTERNAL", "no namespaces can be made here")));
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
