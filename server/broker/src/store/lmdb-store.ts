/** The embedded store: lmdb in a directory of the broker's own, behind a thread that waits for the disk. */
import { Worker } from "node:worker_threads";
import {
  type AuditEntry,
  CentroidError,
  type PresenceCommand,
  type PresenceReply,
  presenceReads,
  type Receipt,
  type WireError,
} from "@centroid/protocol";
import type { LmdbDatabase } from "./lmdb-database.js";
import type { JournalEntry, RoomRecord, Store, StoredCheckpoint } from "./store.js";

type Method = Exclude<keyof LmdbDatabase, "transaction">;

export interface Call {
  callId: number;
  method: Method;
  args: unknown[];
}

export type Reply =
  | { callId: number; result: unknown }
  | { callId: number; error: WireError }
  | { callId: number; fault: { code: number | string; message: string } };

interface Pending {
  resolve: (result: unknown) => void;
  reject: (cause: unknown) => void;
}

/** Each transaction wakes the thread and the disk; rooms are saved at any time, and nobody waits for one save. */
const TOGETHER_MS = 50;

/** Keeps everything in a directory of its own; one process at a time. */
export class LmdbStore implements Store {
  readonly #path: string;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextCallId = 1;
  /** Of this turn: they go to the thread together, since each message costs more than most calls. */
  #unsent: Call[] = [];
  #soon: NodeJS.Immediate | undefined;
  #late: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /** @param path directory; made if it does not exist */
  constructor(path: string) {
    this.#path = path;
  }

  secret(name: string, create: () => string): Promise<string> {
    return this.#call("secret", name, create());
  }

  values(): Promise<ReadonlyMap<string, string>> {
    return this.#call("values");
  }

  putValue(name: string, value: string | undefined): Promise<void> {
    return this.#call("putValue", name, value);
  }

  putRoom(room: RoomRecord): Promise<void> {
    return this.#call("putRoom", room);
  }

  nextEpoch(roomId: string, above: number): Promise<number> {
    return this.#call("nextEpoch", roomId, above);
  }

  removeRoom(roomId: string): Promise<void> {
    return this.#call("removeRoom", roomId);
  }

  /** Goes with whatever else is to be written, or a little later. */
  putCheckpoint(checkpoint: StoredCheckpoint, calledOff = 0): Promise<void> {
    return this.#call("putCheckpoint", checkpoint, calledOff);
  }

  checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#call("checkpoint", roomId);
  }

  rooms(): Promise<RoomRecord[]> {
    return this.#call("rooms");
  }

  journal(entry: JournalEntry): Promise<void> {
    return this.#call("journal", entry);
  }

  openMigrations(): Promise<JournalEntry[]> {
    return this.#call("openMigrations");
  }

  closeMigration(receipt: Receipt): Promise<void> {
    return this.#call("closeMigration", receipt);
  }

  receipts(filter: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    return this.#call("receipts", filter);
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return this.#call("appendAudit", entry);
  }

  audit(filter: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    return this.#call("audit", filter);
  }

  takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean> {
    return this.#call("takePlayerId", playerId, untilMs, nowMs);
  }

  extendPlayerId(playerId: string, untilMs: number): Promise<void> {
    return this.#call("extendPlayerId", playerId, untilMs);
  }

  presence(command: PresenceCommand, nowMs: number): Promise<PresenceReply> {
    return this.#call(presenceReads(command) ? "readPresence" : "presence", command, nowMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#worker === undefined && this.#unsent.length === 0) return;
    // Calls are answered in their order: nothing is under way after this.
    await this.#send("close", []).catch(() => undefined);
    await this.#worker?.terminate();
  }

  #call<M extends Method>(
    method: M,
    ...args: Parameters<LmdbDatabase[M]>
  ): Promise<Awaited<ReturnType<LmdbDatabase[M]>>> {
    if (this.#closed !== undefined) return Promise.reject(new Error("the store is closed"));
    return this.#send(method, args) as Promise<Awaited<ReturnType<LmdbDatabase[M]>>>;
  }

  #send(method: Method, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const callId = this.#nextCallId++;
      this.#pending.set(callId, { resolve, reject });
      this.#unsent.push({ callId, method, args });
      if (method === "putCheckpoint") this.#late ??= setTimeout(() => this.#flush(), TOGETHER_MS);
      else this.#soon ??= setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    clearTimeout(this.#late);
    clearImmediate(this.#soon);
    this.#late = undefined;
    this.#soon = undefined;
    if (this.#unsent.length === 0) return;
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(this.#unsent);
    this.#unsent = [];
  }

  /** Also after it has ended by itself: opened anew, the files may be well again. */
  #start(): Worker {
    const worker = new Worker(new URL("./lmdb-worker.js", import.meta.url), { workerData: this.#path });
    worker.on("message", (replies: Reply[]) => {
      for (const reply of replies) this.#answered(worker, reply);
    });
    let why: unknown = new Error(`the store in ${this.#path} ended`);
    worker.on("error", (cause) => {
      why = cause;
    });
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
      const pending = [...this.#pending.values()];
      this.#pending.clear();
      this.#unsent = [];
      for (const { reject } of pending) reject(why);
    });
    return worker;
  }

  #answered(worker: Worker, reply: Reply): void {
    const pending = this.#pending.get(reply.callId);
    this.#pending.delete(reply.callId);
    // With nothing under way it does not keep a process from ending.
    if (this.#pending.size === 0) worker.unref();
    if ("fault" in reply)
      pending?.reject(Object.assign(new Error(reply.fault.message), { code: reply.fault.code }));
    else if ("error" in reply) pending?.reject(CentroidError.fromWire(reply.error));
    else pending?.resolve(reply.result);
  }
}
