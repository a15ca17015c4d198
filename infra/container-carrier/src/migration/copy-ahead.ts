/** Sends a room's memory to the destination of its move while the room runs, then again what has changed meanwhile. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { CentroidError } from "@centroid/protocol";
import { programsOf } from "../container/processes.js";
import { pagemapName, pagesName, renderPageMap } from "../criu/page-images.js";
import { MAX_RUN_BYTES, pidInside, privateMemory } from "../memory/process-memory.js";
import type { SentPages } from "../memory/sent-pages.js";
import { fileOf, type ImageWire } from "./image-wire.js";

const MAX_ROUNDS = 3;
/** As little as that follows faster than it is found. */
const FEW_BYTES = 1 << 20;
/** A round that leaves more than this share of the one before gains nothing that is worth its time. */
const WORTH_IT = 0.5;
/** Each is a message; between two of them the agent does its other work. Always in the same memory: any other is dear. */
const BATCH_BYTES = 1 << 20;

/**
 * @param pid of the container
 * @param sent gets what the destination has afterwards
 * @returns how many rounds were sent; none where its memory cannot be read from outside: then it follows once the room
 * stands still
 * @throws CentroidError HOST_LOST when the connection ends
 */
export async function copyAhead(
  pid: number,
  sent: SentPages,
  wire: ImageWire,
  signal: AbortSignal,
): Promise<number> {
  const batch = Buffer.allocUnsafe(BATCH_BYTES + MAX_RUN_BYTES);
  let before = Number.POSITIVE_INFINITY;
  for (let round = 1; ; round++) {
    let bytes: number;
    try {
      bytes = await copyOnce(pid, round, { sent, batch }, wire, signal);
    } catch (cause) {
      // What came in earlier rounds is of use; what came in this one is not.
      if (cause instanceof CentroidError || signal.aborted) throw cause;
      return round - 1;
    }
    if (round === MAX_ROUNDS || bytes < FEW_BYTES || bytes > before * WORTH_IT) return round;
    before = bytes;
  }
}

async function copyOnce(
  pid: number,
  number: number,
  { sent, batch }: { sent: SentPages; batch: Buffer },
  wire: ImageWire,
  signal: AbortSignal,
): Promise<number> {
  const round = sent.begin();
  let total = 0;
  for (const program of [pid, ...programsOf(pid)]) {
    const inside = pidInside(program);
    const name = pagesName(inside);
    let batched = 0;
    const flush = async (): Promise<void> => {
      await wire.sendFiles(number, [fileOf(name, batch.subarray(0, batched))]);
      total += batched;
      batched = 0;
    };
    for (const run of privateMemory(program)) {
      for (const fresh of round.add(inside, run)) batched += fresh.copy(batch, batched);
      if (batched < BATCH_BYTES) continue;
      await flush();
      await nextTurn();
      signal.throwIfAborted();
    }
    await flush();
  }
  const maps = [...round.runs].map(([id, runs]) => fileOf(pagemapName(id), renderPageMap({ id, runs })));
  await wire.sendFiles(number, maps);
  sent.end(round);
  return total;
}
