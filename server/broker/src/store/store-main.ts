/**
 * Entry point of the embedded store's process, which its broker forks. It waits for the disk: calls that arrive in one
 * turn share a transaction. It ends with its broker, after what that has sent.
 */
import { mkdirSync } from "node:fs";
import { CentroidError } from "@centroid/protocol/errors";
import { FolderLock } from "./folder-lock.js";
import { LmdbDatabase } from "./lmdb-database.js";
import {
  type FromStoreProcess,
  READING,
  type StoreCall,
  type StoreFault,
  type StoreReply,
} from "./store-calls.js";

/** An earlier broker that was killed left a process that has some last writes to do. */
const EARLIER_ONE_WITHIN_MS = 15_000;

const path = process.argv[2];
if (path === undefined || process.send === undefined) {
  process.stderr.write(
    "this is the process of a broker's store, which starts it; nothing to be started by hand\n",
  );
  process.exit(2);
}

let database: LmdbDatabase | undefined;
let waiting: StoreCall[] = [];
let replies: StoreReply[] = [];
/** lmdb has failed: its memory is not to be trusted any more, and nothing else is to be written from it. */
let isBroken = false;

const say = (message: FromStoreProcess, then: () => void = () => undefined): void => {
  if (process.connected) process.send?.(message, undefined, undefined, then);
  else then();
};

/** Those of one turn go together. */
const reply = (one: StoreReply): void => {
  replies.push(one);
  if (replies.length > 1) return;
  queueMicrotask(() => {
    // Not even lmdb's own clearing up.
    say({ type: "replies", replies }, () => isBroken && process.kill(process.pid, "SIGKILL"));
    replies = [];
  });
};

const carryOut = (store: LmdbDatabase, { method, args }: StoreCall): unknown =>
  (store[method] as (...args: unknown[]) => unknown).apply(store, args);

const faultOf = (cause: unknown): StoreFault => {
  const code = cause instanceof Error && "code" in cause ? cause.code : 0;
  return { code: typeof code === "number" ? code : String(code), message: CentroidError.from(cause).message };
};

const refuse = (callId: number, cause: unknown): void => {
  if (cause instanceof CentroidError) reply({ callId, error: cause.toWire() });
  else reply({ callId, fault: faultOf(cause) });
};

/** lmdb's own errors have a number; the system's, from before anything was written, a word. */
const isNative = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && typeof cause.code === "number" && cause.code !== 0;

const sizeOf = ({ args: [value] }: StoreCall): number =>
  typeof value === "object" && value !== null && "data" in value && value.data instanceof Uint8Array
    ? value.data.byteLength
    : 0;

/** In one transaction, unless they only read. */
const carryOutAll = (store: LmdbDatabase, calls: readonly StoreCall[]): StoreReply[] => {
  let done: StoreReply[] = [];
  const all = (): void => {
    done = calls.map((call) => ({ callId: call.callId, result: carryOut(store, call) }));
  };
  if (calls.every(({ method }) => READING.has(method))) all();
  else
    store.transaction(
      all,
      calls.reduce((bytes, call) => bytes + sizeOf(call), 0),
    );
  return done;
};

/** One that is refused must not cost the others theirs: then each is made by itself. */
const flush = (): void => {
  if (database === undefined || isBroken || waiting.length === 0) return;
  const calls = waiting;
  waiting = [];
  try {
    carryOutAll(database, calls).forEach(reply);
  } catch (cause) {
    isBroken = isNative(cause);
    if (calls.length === 1 || isBroken) for (const { callId } of calls) refuse(callId, cause);
    else
      for (const call of calls) {
        waiting = [call];
        flush();
      }
  }
};

const open = async (folder: string): Promise<void> => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    await FolderLock.takeToWrite(folder, EARLIER_ONE_WITHIN_MS);
    database = new LmdbDatabase(folder);
  } catch (cause) {
    const refusal = cause instanceof CentroidError ? { error: cause.toWire() } : { fault: faultOf(cause) };
    say({ type: "unopened", ...refusal }, () => process.exit(1));
    return;
  }
  say({ type: "opened" });
  flush();
};

/** Its broker has ended or lets go: what it sent before that is written. */
const end = async (): Promise<void> => {
  flush();
  await database?.close();
  process.exit(0);
};

process.on("disconnect", () => void end());
// These reach the whole group, from a terminal or a service manager; the broker decides when this process ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("message", (calls: StoreCall[]) => {
  if (waiting.length === 0) setImmediate(flush);
  waiting.push(...calls);
});
// The parent may have gone while this module was loading; nobody will tell that again.
if (!process.connected) process.exit(0);
void open(path);
