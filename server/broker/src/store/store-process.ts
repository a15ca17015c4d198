/**
 * The process of the embedded store, as its broker sees it. lmdb's native code takes its process with it when a write has
 * failed; that must not be the broker's. One that has ended is started again with the next call, from what is on the
 * disk: reads are asked again, and writes that were not confirmed fail, since some of them must not be made twice.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CentroidError } from "@centroid/protocol";
import {
  type FromStoreProcess,
  READING,
  type StoreCall,
  type StoreFault,
  type StoreMethod,
  type StoreReply,
} from "./store-calls.js";

const STORE_MAIN = fileURLToPath(new URL("./store-main.js", import.meta.url));
/** Each transaction wakes the process and the disk; rooms are saved at any time, and nobody waits for one save. */
const TOGETHER_MS = 50;
/** Between two attempts to open a store that did not open. */
const RESTART_PAUSE_MS = 250;
/** A disk that stands still does not keep a broker from ending; its process ends when the disk answers. */
const CLOSE_WITHIN_MS = 10_000;

/** The store's process has ended by itself or was killed; the next one may answer. */
export class StoreEnded extends Error {}

interface PendingCall {
  call: StoreCall;
  resolve: (result: unknown) => void;
  reject: (cause: unknown) => void;
  /** True for a read that a process has ended with already. */
  again: boolean;
}

export class StoreProcess implements AsyncDisposable {
  readonly #path: string;
  readonly #onEnded: (why: string) => void;
  readonly #pending = new Map<number, PendingCall>();
  #child: ChildProcess | undefined;
  #nextCallId = 1;
  /** Of this turn: they go together, since each message costs more than most calls. */
  #unsent: StoreCall[] = [];
  #soon: NodeJS.Immediate | undefined;
  #late: NodeJS.Timeout | undefined;
  #notBeforeMs = 0;
  #closed: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  /**
   * Starts it at once, so that it is there when the first call comes.
   * @param path the store's directory; made if it does not exist
   * @param onEnded told why it has ended by itself
   */
  constructor(path: string, onEnded: (why: string) => void) {
    this.#path = path;
    this.#onEnded = onEnded;
    this.#start();
  }

  /** Resolves with the answer: what was written is on the disk then. */
  call(method: StoreMethod, args: unknown[]): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(new Error("the store is closed"));
    return new Promise((resolve, reject) => {
      const call = { callId: this.#nextCallId++, method, args };
      this.#pending.set(call.callId, { call, resolve, reject, again: false });
      this.#unsent.push(call);
      if (method === "putCheckpoint") this.#late ??= setTimeout(() => this.#flush(), TOGETHER_MS);
      else this.#flushSoon();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** What is under way is answered first. */
  async #close(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_WITHIN_MS);
    const tooLate = once(signal, "abort");
    this.#flushSoon();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    if (this.#pending.size > 0) await Promise.race([idle, tooLate]);
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) {
      const ended = once(child, "exit");
      child.ref();
      if (child.connected) child.disconnect();
      await Promise.race([ended, tooLate]);
      child.unref();
    }
    for (const { reject } of this.#pending.values()) reject(new Error("the store is closed"));
    this.#pending.clear();
    this.#unsent = [];
    clearTimeout(this.#late);
  }

  #flushSoon(): void {
    this.#soon ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearTimeout(this.#late);
    clearImmediate(this.#soon);
    this.#late = undefined;
    this.#soon = undefined;
    if (this.#unsent.length === 0) return;
    if (this.#child === undefined) {
      const pauseMs = this.#notBeforeMs - performance.now();
      if (pauseMs > 0) {
        this.#late = setTimeout(() => this.#flush(), pauseMs);
        return;
      }
      this.#start();
    }
    const child = this.#child;
    if (child === undefined) return;
    child.ref();
    child.channel?.ref();
    const calls = this.#unsent;
    this.#unsent = [];
    // One that has ended takes nothing; what becomes of the calls shows when it is known to have ended.
    child.send(calls, () => undefined);
  }

  #start(): void {
    let child: ChildProcess;
    try {
      child = fork(STORE_MAIN, [this.#path], {
        serialization: "advanced",
        // Those of a broker that is debugged are not for it.
        execArgv: [],
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
    } catch (cause) {
      this.#unsent = [];
      this.#ended(undefined, cause, false);
      return;
    }
    this.#child = child;
    letGo(child);
    let opened = false;
    let why: unknown;
    child.on("message", (said: FromStoreProcess) => {
      switch (said.type) {
        case "opened":
          opened = true;
          return;
        case "unopened":
          why = "error" in said ? CentroidError.fromWire(said.error) : errorOf(said.fault);
          return;
        case "replies":
          for (const reply of said.replies) this.#answered(reply);
          if (this.#pending.size === 0) letGo(child);
          return;
        default: {
          const never: never = said;
          throw new CentroidError("INTERNAL", `unknown message ${JSON.stringify(never)}`);
        }
      }
    });
    // It could not be started, or a call not be sent.
    child.on("error", (cause) => {
      why ??= cause;
      if (child.pid === undefined) this.#ended(child, why, false);
    });
    // By then all that it said has been read.
    child.once("close", (code, signal) => {
      why ??= new StoreEnded(`its process ended with ${signal ?? `code ${code}`}`);
      this.#ended(child, why, opened);
    });
  }

  #answered(reply: StoreReply): void {
    const pending = this.#pending.get(reply.callId);
    this.#pending.delete(reply.callId);
    if ("fault" in reply) pending?.reject(errorOf(reply.fault));
    else if ("error" in reply) pending?.reject(CentroidError.fromWire(reply.error));
    else pending?.resolve(reply.result);
    if (this.#pending.size === 0) this.#idle?.();
  }

  #ended(child: ChildProcess | undefined, why: unknown, opened: boolean): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (!opened) this.#notBeforeMs = performance.now() + RESTART_PAUSE_MS;
    this.#onEnded(CentroidError.from(why).message);
    const again: StoreCall[] = [];
    const unsent = new Set(this.#unsent);
    for (const pending of this.#pending.values()) {
      if (unsent.has(pending.call)) continue;
      if (READING.has(pending.call.method) && !pending.again) {
        pending.again = true;
        again.push(pending.call);
      } else {
        this.#pending.delete(pending.call.callId);
        pending.reject(why);
      }
    }
    this.#unsent = [...again, ...this.#unsent];
    if (this.#unsent.length > 0) this.#flushSoon();
    else this.#idle?.();
  }
}

/** With nothing under way it does not keep a process from ending. */
function letGo(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

function errorOf({ code, message }: StoreFault): Error {
  return Object.assign(new Error(message), { code });
}
