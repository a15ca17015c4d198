/**
 * A criu that has been started before it is needed, and does one thing: dump a container into a folder, or restore it
 * from one. Starting criu takes longer than either, and a room stands still meanwhile. Requests are criu's own
 * (images/rpc.proto); `native/criu-worker.c` passes them on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CentroidError } from "@centroid/protocol";
import type { Criu } from "./criu.js";
import { decode, encode, type Field } from "./protobuf.js";

/** What criu calls the folder that a container has of its host. */
const SHARED = "shared";
/** Descriptors of criu's process: see `native/criu-worker.c`. */
const FD = { work: 7, images: 8 } as const;
const NAMESPACES = ["net", "uts", "ipc"] as const;

/** Fields and values of criu's rpc.proto. */
const TYPE = { dump: 1, restore: 2 } as const;
const REQUEST = { type: 1, options: 2 } as const;
const RESPONSE = { success: 2, restore: 4, error: 9 } as const;
const OPTION = {
  imagesFd: 1,
  pid: 2,
  leaveRunning: 3,
  tcpEstablished: 5,
  logLevel: 9,
  logFile: 10,
  notify: 12,
  root: 13,
  workFd: 17,
  cgroupMode: 34,
  external: 37,
  lazyPages: 48,
  networkLock: 64,
} as const;
const LOG_ERRORS = 1;
const IGNORE_CGROUPS = 0;
/** The carrier cuts and joins the network itself; criu would leave its firewall rules behind. */
const NO_NETWORK_LOCK = 3;
/** A container whose programs are killed while criu stops them makes it wait for ever; otherwise it gives up after ten. */
const DUMP_TIMEOUT_MS = 15_000;

/** On machines that do not grant CAP_SYS_RESOURCE. Nothing follows from it. */
const HARMLESS = /rlimit: Can't setup RLIMIT_NOFILE for self/;
const LENGTH_BYTES = 4;

export interface CriuWorkerOptions {
  readonly images: string;
  /** Gets criu's log. */
  readonly work: string;
  /** The container's network card, and its bridge: unplugged for a dump, plugged when a restore has made all sockets. */
  readonly card?: { readonly name: string; readonly bridge: string };
  /**
   * Process in whose namespaces of network, host name and IPC criu works: what a container shares with criu, criu neither
   * writes nor makes.
   */
  readonly within: number;
  /** Where a container is to be restored: control groups to be in, as their `cgroup.procs` files. */
  readonly groups?: readonly string[];
}

/** criu was ended in the middle of its work: the container is not as it was. */
export class DumpAbandoned extends CentroidError {
  constructor() {
    super("MIGRATION_FAILED", `criu dump: it was not done after ${DUMP_TIMEOUT_MS} ms`);
  }
}

export class CriuWorker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #work: string;
  readonly #ended: Promise<void>;
  readonly #answered: Promise<Buffer>;

  /** @throws if there is no such process */
  constructor(criu: Criu, { images, work, card, within, groups }: CriuWorkerOptions) {
    this.#work = work;
    const task = [groups === undefined ? "unplug" : "plug", card?.bridge ?? "", card?.name ?? ""];
    const namespaces: number[] = [];
    try {
      for (const name of NAMESPACES) namespaces.push(openSync(`/proc/${within}/ns/${name}`, "r"));
      this.#child = spawn(criu.worker, [...task, criu.run, work, images, criu.path, ...(groups ?? [])], {
        stdio: ["pipe", "pipe", "ignore", ...namespaces],
      });
    } finally {
      for (const fd of namespaces) closeSync(fd);
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => resolve());
      this.#child.once("error", () => resolve());
    });
    this.#answered = this.#answer();
    this.#child.stdin?.on("error", () => undefined);
  }

  /** All of criu's answer; nothing if it ends without one. */
  async #answer(): Promise<Buffer> {
    const { stdout } = this.#child;
    let bytes = Buffer.alloc(0);
    const isWhole = (): boolean =>
      bytes.length >= LENGTH_BYTES && bytes.length >= LENGTH_BYTES + bytes.readUInt32LE(0);
    const whole = new Promise<void>((resolve) => {
      stdout?.on("data", (data: Buffer) => {
        bytes = Buffer.concat([bytes, data]);
        if (isWhole()) resolve();
      });
    });
    await Promise.race([whole, this.#ended]);
    return isWhole() ? bytes.subarray(LENGTH_BYTES) : Buffer.alloc(0);
  }

  /** A room stands still: from now on its move comes before all other work of this host, for a few seconds at most. */
  hurry(): void {
    this.#child.stdin?.write(Buffer.alloc(LENGTH_BYTES));
  }

  /**
   * Writes a container, whose programs were stopped before, into the folder of images; it stays as it is.
   * @param pid of the container's first process
   * @throws CentroidError MIGRATION_FAILED with criu's own words; {@link DumpAbandoned}
   */
  async dump(pid: number): Promise<void> {
    let abandoned = false;
    const late = setTimeout(() => {
      abandoned = true;
      this.#child.kill();
    }, DUMP_TIMEOUT_MS);
    try {
      await this.#ask("dump", [
        [OPTION.pid, pid],
        // A dump that fails, and a move that is called off, leave the room where it was.
        [OPTION.leaveRunning, true],
        [OPTION.external, `mnt[/run/centroid]:${SHARED}`],
      ]);
    } catch (cause) {
      if (abandoned) throw new DumpAbandoned();
      throw cause;
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * Its programs are stopped, as they were dumped.
   * @param shared the folder that the container shares with this host
   * @param lazily its memory is given to it by somebody else, who waits for criu in the folder of the log
   * @returns process id of the container
   * @throws CentroidError MIGRATION_FAILED with criu's own words
   */
  async restore(root: string, shared: string, lazily = false): Promise<number> {
    const answer = await this.#ask("restore", [
      [OPTION.root, root],
      [OPTION.external, `mnt[${SHARED}]:${shared}`],
      [OPTION.lazyPages, lazily],
    ]);
    const restored = answer.get(RESPONSE.restore);
    const pid = Buffer.isBuffer(restored) ? decode(restored).get(1) : undefined;
    if (typeof pid !== "number") throw failed("restore", "it does not say what it has restored");
    return pid;
  }

  async #ask(action: "dump" | "restore", options: readonly Field[]): Promise<Map<number, number | Buffer>> {
    const log = `${action}.log`;
    const all: Field[] = [
      [OPTION.imagesFd, FD.images],
      [OPTION.workFd, FD.work],
      [OPTION.logLevel, LOG_ERRORS],
      [OPTION.logFile, log],
      [OPTION.tcpEstablished, true],
      [OPTION.notify, true],
      [OPTION.cgroupMode, IGNORE_CGROUPS],
      [OPTION.networkLock, NO_NETWORK_LOCK],
      ...options,
    ];
    const request = encode([
      [REQUEST.type, TYPE[action]],
      [REQUEST.options, encode(all)],
    ]);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(request.length);
    this.#child.stdin?.write(Buffer.concat([length, request]));
    const answer = decode(await this.#answered);
    // It may say that all went well and still have failed at something.
    const said = await readFile(join(this.#work, log), "utf8").catch(() => "");
    const errors = said.split("\n").filter((line) => /\bError \(/.test(line) && !HARMLESS.test(line));
    if (answer.get(RESPONSE.success) === 1 && errors.length === 0) return answer;
    const why = errors[0]?.replace(/^.*?Error \([^)]*\):\s*/, "") ?? answer.get(RESPONSE.error);
    throw failed(action, why?.toString() ?? "it has ended without an answer");
  }

  /** A criu at work is waited for: what it works on would stay as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}

const failed = (action: string, why: string): CentroidError =>
  new CentroidError("MIGRATION_FAILED", `criu ${action}: ${why}`);
