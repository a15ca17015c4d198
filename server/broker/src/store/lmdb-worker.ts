/** The thread that waits for the disk: calls that arrive in one turn share a transaction. */
import { parentPort, workerData } from "node:worker_threads";
import { CentroidError } from "@centroid/protocol";
import { LmdbDatabase } from "./lmdb-database.js";
import type { Call, Reply } from "./lmdb-store.js";

/** lmdb's word for a file that it does not trust any more; opened anew it may be well. */
const MDB_PANIC = -30795;
const READS: ReadonlySet<Call["method"]> = new Set([
  "checkpoint",
  "rooms",
  "openMigrations",
  "receipts",
  "audit",
  "readPresence",
]);

const port = parentPort;
if (port === null) throw new Error("this file is the worker of the embedded store");
const database = new LmdbDatabase(String(workerData));
let waiting: Call[] = [];

const carryOut = ({ method, args }: Call): unknown =>
  (database[method] as (...args: unknown[]) => unknown).apply(database, args);

/** The system's word or lmdb's number. */
const faultCode = (code: unknown): string | number => (typeof code === "number" ? code : String(code));

const sizeOf = ({ args: [value] }: Call): number =>
  typeof value === "object" && value !== null && "data" in value && value.data instanceof Uint8Array
    ? value.data.byteLength
    : 0;

let answers: Reply[] = [];

/** Those of one turn go together. */
const answer = (reply: Reply): void => {
  answers.push(reply);
  if (answers.length > 1) return;
  queueMicrotask(() => {
    port.postMessage(answers);
    answers = [];
  });
};

const refuse = (callId: number, cause: unknown): void => {
  if (cause instanceof CentroidError) {
    answer({ callId, error: cause.toWire() });
    return;
  }
  const { message } = CentroidError.from(cause);
  const code = cause instanceof Error && "code" in cause ? faultCode(cause.code) : 0;
  answer({ callId, fault: { code, message } });
  if (code === MDB_PANIC) queueMicrotask(() => process.exit(1));
};

/** One that is refused must not cost the others theirs: then each is made by itself. */
const flush = (): void => {
  const calls = waiting;
  waiting = [];
  const results: unknown[] = [];
  const all = (): void => {
    for (const call of calls) results.push(carryOut(call));
  };
  try {
    if (calls.every(({ method }) => READS.has(method))) all();
    else
      database.transaction(
        all,
        calls.reduce((bytes, call) => bytes + sizeOf(call), 0),
      );
  } catch (cause) {
    const [only, ...others] = calls;
    if (only !== undefined && others.length === 0) refuse(only.callId, cause);
    else for (const call of calls) alone(call);
    return;
  }
  for (const [index, { callId }] of calls.entries()) answer({ callId, result: results[index] });
};

const alone = (call: Call): void => {
  let result: unknown;
  try {
    database.transaction(() => {
      result = carryOut(call);
    }, sizeOf(call));
  } catch (cause) {
    refuse(call.callId, cause);
    return;
  }
  answer({ callId: call.callId, result });
};

const take = (call: Call): void => {
  if (call.method === "close") {
    flush();
    void database.close().then(() => answer({ callId: call.callId, result: undefined }));
    return;
  }
  waiting.push(call);
  if (waiting.length === 1) setImmediate(flush);
};

port.on("message", (calls: Call[]) => calls.forEach(take));
