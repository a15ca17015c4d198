/** The containers of this host's rooms, as the agent's sandbox carrier starts, finds and ends them. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  GuestAddresses,
  guestMac,
  type LeftSandbox,
  networkOf,
  type RoomHostLine,
  type Sandboxes,
  waitFor,
} from "@centroid/agent";
import { CONTAINER_FILES, type LastWords, parseLastWords } from "@centroid/room-host";
import type { Containers, RoomHostSettings } from "../container/containers.js";
import { ControlLine } from "../container/control-line.js";
import { ImageFolder } from "../container/image-folder.js";
import { type MoveMark, readMark } from "../container/move-mark.js";
import { SpareContainer } from "./spare-container.js";

export class ContainerSandboxes implements Sandboxes {
  readonly kind = "container";
  readonly noun = "container";
  readonly #containers: Containers;
  readonly #settings: RoomHostSettings;
  readonly #addresses: GuestAddresses;
  readonly #lines = new Map<string, ControlLine>();
  readonly #spare: SpareContainer;

  constructor(containers: Containers, settings: RoomHostSettings, notice: (line: string) => void) {
    this.#containers = containers;
    this.#settings = settings;
    this.#spare = new SpareContainer({ containers, notice, start: (id) => this.#boot(id) });
    const { directory, addresses } = containers.config;
    this.#addresses = new GuestAddresses({ directory, range: addresses });
  }

  warmUp(): Promise<void> {
    return this.#spare.prepare();
  }

  async start(roomId: string): Promise<string> {
    return (await this.#spare.take(roomId)) ?? (await this.#boot(roomId));
  }

  async #boot(roomId: string): Promise<string> {
    const ip = await this.#addresses.next();
    const { network, gateway } = this.#containers.config;
    const { prefixBits } = networkOf(network);
    const port = await this.#containers.start(
      roomId,
      { ip, mac: guestMac(ip), prefixBits, gateway },
      this.#settings,
    );
    return `${ip}:${port}`;
  }

  async openLine(roomId: string): Promise<RoomHostLine> {
    const line = await ControlLine.open(this.#containers.shared(roomId, CONTAINER_FILES.control));
    this.#lines.set(roomId, line);
    return line;
  }

  /** Closes the line to a room without losing a word of it; one to be opened later begins with what came meanwhile. */
  async hangUp(roomId: string, timeoutMs: number): Promise<void> {
    await this.#lines.get(roomId)?.hangUp(timeoutMs);
    // It may not have closed its end yet, and a checkpoint cannot hold half a connection.
    const alone = this.#containers.shared(roomId, CONTAINER_FILES.alone);
    await waitFor("the room host's end of its line", () => existsSync(alone), timeoutMs);
    this.#lines.delete(roomId);
  }

  /** Its line closes a moment before its first process has ended. */
  howEnded(roomId: string, timeoutMs: number): Promise<"ended" | undefined> {
    const hasEnded = async (): Promise<boolean> => (await this.#containers.find(roomId)) === undefined;
    return waitFor("the end of a container", hasEnded, timeoutMs).then(
      () => "ended",
      () => undefined,
    );
  }

  async lastWords(roomId: string): Promise<LastWords | undefined> {
    const said = await readFile(this.#containers.shared(roomId, CONTAINER_FILES.lastWords), "utf8").catch(
      () => "",
    );
    const words = parseLastWords(said);
    if (words !== undefined || !(await this.#containers.ranOutOfMemory(roomId))) return words;
    return {
      how: "exited",
      what: `taking more than ${this.#containers.config.memoryMebibytes} MiB of memory`,
    };
  }

  async destroy(roomId: string): Promise<void> {
    this.#lines.delete(roomId);
    await this.#containers.destroy(roomId);
  }

  async left(): Promise<LeftSandbox[]> {
    const containers = this.#containers;
    await ImageFolder.removeAll(containers.config);
    await containers.clearLeftGroups();
    const found: LeftSandbox[] = [];
    for (const roomId of await containers.rooms()) {
      if (SpareContainer.isOne(roomId)) {
        await containers.destroy(roomId);
        continue;
      }
      const mark = await readMark(containers.folder(roomId)).catch(() => undefined);
      const runs = (await containers.find(roomId)) !== undefined;
      // The room is where it came from, with its players.
      if (mark?.state === "arriving") await containers.disconnect(roomId);
      // What had not arrived, or is elsewhere in part, is not this host's; what has ended leaves only its folder.
      if (!runs || mark?.state === "arriving" || mark?.state === "divided") await containers.destroy(roomId);
      else found.push(leftContainer(roomId, mark, containers));
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spare[Symbol.asyncDispose]();
  }
}

function leftContainer(roomId: string, mark: MoveMark | undefined, containers: Containers): LeftSandbox {
  return {
    roomId,
    ...(mark?.state === "leaving" && { stoppedAs: mark.report }),
    settle: async () => true,
    isLeaving: async () => false,
    isActive: async () => (await containers.find(roomId)) !== undefined,
  };
}
