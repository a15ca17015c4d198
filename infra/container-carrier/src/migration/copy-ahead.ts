/** Sends a room's memory to the destination of its move while the room runs, then again what has changed meanwhile. */

import { CentroidError } from "@centroid/protocol";
import { programsOf } from "../container/processes.js";
import { pidInside, privateMemory } from "../memory/process-memory.js";
import { SentPages } from "../memory/sent-pages.js";
import { sendPages } from "./image-files.js";
import type { ImageWire } from "./image-wire.js";

const MAX_ROUNDS = 3;
/** As little as that follows faster than it is found. */
const FEW_BYTES = 1 << 20;
/** A round that leaves more than this share of the one before gains nothing that is worth its time. */
const WORTH_IT = 0.5;
const BATCH_BYTES = 1 << 20;

export interface Ahead {
  /** What the destination has by now. */
  readonly sent: SentPages;
  readonly rounds: number;
}

/**
 * @param pid of the container
 * @returns nothing where its memory cannot be read from outside: then it follows once the room stands still
 * @throws CentroidError HOST_LOST when the connection ends
 */
export async function copyAhead(
  pid: number,
  wire: ImageWire,
  signal: AbortSignal,
): Promise<Ahead | undefined> {
  try {
    return await copyRounds(pid, wire, signal);
  } catch (cause) {
    if (cause instanceof CentroidError || signal.aborted) throw cause;
    return undefined;
  }
}

async function copyRounds(pid: number, wire: ImageWire, signal: AbortSignal): Promise<Ahead> {
  const sent = new SentPages();
  let before = Number.POSITIVE_INFINITY;
  for (let rounds = 1; ; rounds++) {
    const bytes = await copyOnce(pid, sent, wire, signal);
    if (rounds === MAX_ROUNDS || bytes < FEW_BYTES || bytes > before * WORTH_IT) return { sent, rounds };
    before = bytes;
  }
}

async function copyOnce(pid: number, sent: SentPages, wire: ImageWire, signal: AbortSignal): Promise<number> {
  let total = 0;
  let batch: Buffer[] = [];
  let batched = 0;
  for (const program of [pid, ...(await programsOf(pid))]) {
    const inside = await pidInside(program);
    for await (const run of privateMemory(program)) {
      signal.throwIfAborted();
      const fresh = sent.add(inside, run);
      if (fresh === undefined) continue;
      batch.push(fresh);
      batched += fresh.length;
      total += fresh.length;
      if (batched < BATCH_BYTES) continue;
      await sendPages(wire, batch);
      batch = [];
      batched = 0;
    }
  }
  await sendPages(wire, batch);
  return total;
}
