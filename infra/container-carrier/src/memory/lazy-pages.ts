/**
 * Starts the program that gives a restored container its memory, before it runs or while it does, and talks to it; the
 * messages are described in `native/lazy-pages.c`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { CentroidError } from "@centroid/protocol";
import { PAGE_BYTES } from "../criu/page-images.js";
import { laterName, lazyPages } from "./page-places.js";

const MESSAGE_BYTES = 40;
const AT = { type: 0, pid: 4, round: 8, id: 12, page: 16, count: 24, at: 32 } as const;
const TO_PROGRAM = { run: 1, told: 2, arrived: 3, all: 4 } as const;
const FROM_PROGRAM = { wanted: 1, done: 2, failed: 3 } as const;
/** Descriptor of the line: see `native/lazy-pages.c`. */
const LINE = 3;

export interface LazyPagesOptions {
  /** `lazy-pages`. */
  readonly program: string;
  readonly images: string;
  readonly work: string;
  /** The room stands still until it has this page, of those of a process that follow. */
  readonly onWanted: (pid: number, at: number) => void;
}

export class LazyPages implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #line: Duplex;
  readonly #images: string;
  readonly #ended: Promise<void>;
  #isDone = false;
  readonly #done: Promise<void>;

  constructor({ program, images, work, onWanted }: LazyPagesOptions) {
    this.#images = images;
    this.#child = spawn(program, [work, images], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => resolve());
      this.#child.once("error", () => resolve());
    });
    const line = this.#child.stdio[LINE];
    if (!(line instanceof Duplex)) throw new CentroidError("INTERNAL", "lazy-pages has no line");
    this.#line = line;
    line.on("error", () => undefined);
    this.#done = this.#listen(onWanted);
    this.#done.catch(() => undefined);
  }

  async #listen(onWanted: LazyPagesOptions["onWanted"]): Promise<void> {
    let bytes = Buffer.alloc(0);
    const failed = new Promise<void>((resolve) => {
      this.#line.on("data", (data: Buffer) => {
        bytes = Buffer.concat([bytes, data]);
        for (; bytes.length >= MESSAGE_BYTES; bytes = bytes.subarray(MESSAGE_BYTES)) {
          const type = bytes.readUInt32LE(AT.type);
          if (type === FROM_PROGRAM.done) this.#isDone = true;
          else if (type === FROM_PROGRAM.failed) resolve();
          else onWanted(bytes.readUInt32LE(AT.pid), Number(bytes.readBigUInt64LE(AT.at)));
        }
      });
    });
    // One that has failed waits until it can end the container, or this agent lets go of it.
    await Promise.race([failed, this.#ended]);
    if (!this.#isDone)
      throw new CentroidError("MIGRATION_FAILED", "the container could not be given its memory");
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects when the container will not get its memory; before it runs, it must not run then. */
  async failure(): Promise<never> {
    await this.#done;
    return new Promise(() => undefined);
  }

  /**
   * Says which pages criu will not restore, and where they are; makes files for those that follow. Before the restore.
   * @param rounds of memory that were sent ahead
   * @throws CentroidError if there is no space for those that follow
   */
  tell(rounds: number): void {
    const messages: Buffer[] = [];
    const following = new Map<number, number>();
    for (const { pid, round, id, firstPage, pages, at } of lazyPages(this.#images, rounds)) {
      messages.push(message({ type: TO_PROGRAM.run, pid, round, id, page: firstPage, count: pages, at }));
      if (id === 0) following.set(pid, at + pages);
    }
    const wanted = [...following.values()].reduce((sum, pages) => sum + pages, 0) * PAGE_BYTES;
    const { bavail, bsize } = statfsSync(this.#images);
    if (wanted > bavail * bsize)
      throw new CentroidError("MIGRATION_FAILED", `no space for ${wanted} bytes in ${this.#images}`);
    for (const [pid, pages] of following) {
      const file = openSync(join(this.#images, laterName(pid)), "wx", 0o600);
      ftruncateSync(file, pages * PAGE_BYTES);
      closeSync(file);
    }
    this.#line.write(Buffer.concat([...messages, message({ type: TO_PROGRAM.told })]));
  }

  /** Of the pages that follow, these have been written to their file. */
  arrived(pid: number, at: number, count: number): void {
    this.#line.write(message({ type: TO_PROGRAM.arrived, pid, at, count }));
  }

  /**
   * All have, and the container is restored. Resolves when it has all its memory, which does not need this agent.
   * @throws CentroidError when it was killed for want of it
   */
  complete(): Promise<void> {
    this.#line.write(message({ type: TO_PROGRAM.all }));
    return this.#done;
  }

  /**
   * False once nobody holds what makes the container wait for its memory: it would read zeros. Looked up at once: what
   * the end of a process makes known later is too late.
   */
  isHeld(): boolean {
    const stat = statOf(this.#child.pid);
    return stat !== undefined && !/\) [ZX] /.test(stat);
  }

  /** Before the container has its memory: kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#line.end();
    this.#line.destroy();
    await this.#ended;
  }
}

function statOf(pid: number | undefined): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}

function message(fields: Partial<Record<keyof typeof AT, number>>): Buffer {
  const { type = 0, pid = 0, round = 0, id = 0, page = 0, count = 0, at = 0 } = fields;
  const bytes = Buffer.alloc(MESSAGE_BYTES);
  bytes.writeUInt32LE(type, AT.type);
  bytes.writeUInt32LE(pid, AT.pid);
  bytes.writeUInt32LE(round, AT.round);
  bytes.writeUInt32LE(id, AT.id);
  bytes.writeBigUInt64LE(BigInt(page), AT.page);
  bytes.writeBigUInt64LE(BigInt(count), AT.count);
  bytes.writeBigUInt64LE(BigInt(at), AT.at);
  return bytes;
}
