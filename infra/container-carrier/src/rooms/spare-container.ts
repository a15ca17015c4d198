/**
 * One container that waits, complete and idle, for the next room of its host: starting Node and loading rooms takes
 * longer than players should wait. It was started like any other, so nothing in it is a copy of another's secrets.
 */
import { randomBytes } from "node:crypto";
import { CentroidError } from "@centroid/protocol";
import type { Containers } from "../container/containers.js";

/** No room's id begins so. */
const PREFIX = ".spare-";
const ID_BYTES = 6;
/** The room that took the last one has begun by then. */
const REFILL_AFTER_MS = 1_000;

interface Spare {
  readonly id: string;
  readonly address: string;
}

export interface SpareContainerOptions {
  readonly containers: Containers;
  /** Starts a container. @returns its address */
  readonly start: (id: string) => Promise<string>;
  readonly notice: (line: string) => void;
}

export class SpareContainer implements AsyncDisposable {
  readonly #options: SpareContainerOptions;
  #next: Promise<Spare | undefined> | undefined;
  #refill: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: SpareContainerOptions) {
    this.#options = options;
  }

  static isOne(id: string): boolean {
    return id.startsWith(PREFIX);
  }

  /** Resolves when there is one, or none can be started. */
  async prepare(): Promise<void> {
    if (this.#disposed) return;
    this.#next ??= this.#start();
    await this.#next;
  }

  async #start(): Promise<Spare | undefined> {
    const { start, containers, notice } = this.#options;
    const id = `${PREFIX}${randomBytes(ID_BYTES).toString("hex")}`;
    try {
      return { id, address: await start(id) };
    } catch (cause) {
      notice(`no container is kept ready: ${CentroidError.from(cause).message}`);
      await containers.destroy(id).catch(() => undefined);
      return undefined;
    }
  }

  /** Gives it to a room; another will be ready for the next. @returns its address, or nothing if there is none */
  async take(roomId: string): Promise<string | undefined> {
    const { containers } = this.#options;
    const next = this.#next;
    this.#next = undefined;
    if (!this.#disposed) {
      clearTimeout(this.#refill);
      this.#refill = setTimeout(() => void this.prepare(), REFILL_AFTER_MS).unref();
    }
    // One that is being started is there sooner than another would be.
    const spare = await next;
    if (spare === undefined) return undefined;
    if ((await containers.find(spare.id)) === undefined) {
      await containers.destroy(spare.id);
      return undefined;
    }
    await containers.rename(spare.id, roomId);
    return spare.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#refill);
    const spare = await this.#next;
    if (spare !== undefined) await this.#options.containers.destroy(spare.id);
  }
}
