/** What a broker and the process of its embedded store say to each other. */
import type { WireError } from "@centroid/protocol";
import type { LmdbDatabase } from "./lmdb-database.js";

/** What can be asked of the store. */
export type StoreMethod = Exclude<keyof LmdbDatabase, "transaction" | "close">;

/** One of a broker; those of one turn go together. */
export interface StoreCall {
  callId: number;
  method: StoreMethod;
  args: unknown[];
}

/** What went wrong with the disk or lmdb: the system's word or lmdb's number, and what it says. */
export interface StoreFault {
  code: number | string;
  message: string;
}

/** To one call. */
export type StoreReply =
  | { callId: number; result: unknown }
  | { callId: number; error: WireError }
  | { callId: number; fault: StoreFault };

/** What the store's process says, in the order of the calls. */
export type FromStoreProcess =
  | { type: "opened" }
  /** It ends then. */
  | { type: "unopened"; error: WireError }
  | { type: "unopened"; fault: StoreFault }
  | { type: "replies"; replies: StoreReply[] };

/** These change nothing: they need no transaction, and can be asked again. */
export const READING: ReadonlySet<StoreMethod> = new Set([
  "values",
  "checkpoint",
  "rooms",
  "records",
  "saved",
  "openMigrations",
  "receipts",
  "audit",
  "readPresence",
]);
