/** The containers of this host's rooms: starting, finding, stopping, continuing and ending them. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitFor } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { CONTAINER_FILES } from "@centroid/room-host";
import type { ContainerConfig } from "../base/config.js";
import { ControlGroups, type Controller, clearLeftGroups, findControllers, type Groups } from "./cgroups.js";
import { containerId, giveContainerId } from "./container-id.js";
import {
  CONTAINER_NAME,
  endContainer,
  findContainer,
  folderOf,
  pidFileOf,
  roomsIn,
  sharedOf,
} from "./find.js";
import { addCard, type ContainerAddress, cardOf, plug, removeCard } from "./network.js";
import { continuePrograms, isAlive } from "./processes.js";
import { ROOT_FILES } from "./room-root.js";

const exec = promisify(execFile);

/** Loading rooms takes half a second, on a crowded machine many. */
const START_TIMEOUT_MS = 60_000;
/** Of its memory, what a room host's heap may take: beyond the limit the kernel ends it, garbage or not. */
const HEAP_SHARE = 0.7;

/** What a room host in a container is told before it starts. */
export interface RoomHostSettings {
  readonly checkpointIntervalMs: number;
  readonly maxFramesPerSecond: number;
  readonly maxBytesPerSecond: number;
  /** All that room code finds in its environment beside what every container has. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What is new is in few pages, which are written again and again while a room moves; one CPU needs no more threads. */
const LITTLE_TO_MOVE = ["--max-semi-space-size=2", "--v8-pool-size=1"] as const;

export class Containers {
  readonly config: ContainerConfig;
  /** Whom rooms run as. */
  readonly user: number;
  #controllers: Promise<readonly Controller[]> | undefined;

  constructor(config: ContainerConfig, user: number) {
    this.config = config;
    this.user = user;
  }

  get launcher(): string {
    return join(this.config.root, ROOT_FILES.launcher);
  }

  get criuWorker(): string {
    return join(this.config.root, ROOT_FILES.criuWorker);
  }

  get lazyPages(): string {
    return join(this.config.root, ROOT_FILES.lazyPages);
  }

  /** Everything of one room on this host. */
  folder(roomId: string): string {
    return folderOf(this.config.directory, roomId);
  }

  /** A file in what the room's container shares with this host. */
  shared(roomId: string, file = ""): string {
    return join(sharedOf(this.folder(roomId)), file);
  }

  pidFile(roomId: string): string {
    return pidFileOf(this.folder(roomId));
  }

  async #groups(roomId: string): Promise<ControlGroups | undefined> {
    const id = await containerId(this.folder(roomId));
    return id === undefined ? undefined : new ControlGroups(id, await this.#findControllers());
  }

  #findControllers(): Promise<readonly Controller[]> {
    this.#controllers ??= findControllers();
    return this.#controllers;
  }

  /** Removes control groups of containers that ended while no agent was there to do it, in a while. */
  async clearLeftGroups(): Promise<void> {
    void clearLeftGroups(await this.#findControllers());
  }

  /** Of its network card, the host's end. @throws CentroidError ROOM_NOT_FOUND */
  async card(roomId: string): Promise<string> {
    const id = await containerId(this.folder(roomId));
    if (id === undefined) throw notHere(roomId);
    return cardOf(id);
  }

  /** Empty, and nobody else's. */
  async makeFolders(roomId: string): Promise<void> {
    // Whatever still runs of an earlier one could not be found any more.
    if (existsSync(this.folder(roomId))) await this.destroy(roomId);
    await mkdir(this.shared(roomId), { recursive: true, mode: 0o700 });
    await chown(this.shared(roomId), this.user, this.user);
    await giveContainerId(this.folder(roomId));
  }

  async makeGroups(roomId: string): Promise<Groups> {
    const { memoryMebibytes, cpus } = this.config;
    const groups = await this.#groups(roomId);
    return (await groups?.make({ memoryBytes: memoryMebibytes * 2 ** 20, cpus })) ?? { early: [], late: [] };
  }

  /** True if the kernel has ended something in its container for its memory. */
  async ranOutOfMemory(roomId: string): Promise<boolean> {
    return (await (await this.#groups(roomId))?.ranOutOfMemory()) ?? false;
  }

  /** Gives a container to a room. */
  async rename(from: string, roomId: string): Promise<void> {
    if (existsSync(this.folder(roomId))) await this.destroy(roomId);
    await rename(this.folder(from), this.folder(roomId));
  }

  /**
   * Starts one and waits until its room host can be reached.
   * @returns the room host's port
   */
  async start(roomId: string, address: ContainerAddress, settings: RoomHostSettings): Promise<number> {
    await this.makeFolders(roomId);
    const config = this.shared(roomId, CONTAINER_FILES.config);
    await writeFile(config, JSON.stringify({ processId: "container", ...settings }), { mode: 0o400 });
    await chown(config, this.user, this.user);
    const { early, late } = await this.makeGroups(roomId);
    const place = [String(this.user), this.config.root, this.shared(roomId), CONTAINER_NAME];
    const heap = `--max-old-space-size=${Math.floor(this.config.memoryMebibytes * HEAP_SHARE)}`;
    const program = ["--", `/${ROOT_FILES.node}`, heap, ...LITTLE_TO_MOVE, `/${ROOT_FILES.program}`];
    const { stdout } = await exec(this.launcher, ["run", ...place, ...early, ...late, ...program]);
    const pid = Number(stdout);
    await writeFile(this.pidFile(roomId), String(pid));
    await addCard(await this.card(roomId), pid, address, this.config.bridge);
    return this.#port(roomId, pid);
  }

  async #port(roomId: string, pid: number): Promise<number> {
    const read = (file: string): Promise<string> =>
      readFile(this.shared(roomId, file), "utf8").catch(() => "");
    let port = "";
    await waitFor(
      "the room's container",
      async () => {
        port = await read(CONTAINER_FILES.ready);
        if (port !== "") return true;
        if (await isAlive(pid)) return false;
        const why = await read(CONTAINER_FILES.failed);
        throw new CentroidError(
          "CONFIG_INVALID",
          `rooms do not start in a container: ${why || "their program ended at once"}`,
        );
      },
      START_TIMEOUT_MS,
    );
    return Number(port);
  }

  /** Process id of a room's container; undefined if none runs here. */
  find(roomId: string): Promise<number | undefined> {
    return findContainer(this.config.directory, roomId);
  }

  /** @throws CentroidError ROOM_NOT_FOUND */
  async require(roomId: string): Promise<number> {
    const pid = await this.find(roomId);
    if (pid === undefined) throw notHere(roomId);
    return pid;
  }

  /** Rooms that have, or had, a container here. */
  rooms(): Promise<string[]> {
    return roomsIn(this.config.directory);
  }

  /** Its card is plugged in, and its programs run. */
  async continue(roomId: string): Promise<void> {
    const pid = await this.require(roomId);
    await plug(await this.card(roomId), this.config.bridge);
    continuePrograms(pid);
  }

  /** Takes its network away: the kernel tells whoever is at the other end of a connection when its program ends. */
  async disconnect(roomId: string): Promise<void> {
    const id = await containerId(this.folder(roomId));
    if (id !== undefined) await removeCard(cardOf(id));
  }

  /** Ends a room's container at once, and removes what is left of it. */
  async destroy(roomId: string): Promise<void> {
    await endContainer(this.config.directory, roomId);
    await this.disconnect(roomId);
    await (await this.#groups(roomId))?.remove();
    await rm(this.folder(roomId), { recursive: true, force: true });
  }
}

const notHere = (roomId: string): CentroidError =>
  new CentroidError("ROOM_NOT_FOUND", `no container of room ${roomId} runs here`);
