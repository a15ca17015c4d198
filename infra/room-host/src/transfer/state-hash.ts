/**
 * A hash of a whole state that is cheap to keep while the state changes: the sum of its nodes' hashes, so one
 * changed node costs one node's work, in any order, on both sides.
 */
import { Packr } from "msgpackr";
import type { NodeRecord } from "../colyseus/schema/records.js";

const packr = new Packr({ useRecords: false });
/** FNV-1a, 32 bit (draft-eastlake-fnv), run twice with different offsets for 64 bits. */
const FNV_PRIME = 0x01000193;
const FNV_OFFSET = 0x811c9dc5;
const SECOND_OFFSET = 0x9e3779b9;

export class StateHash {
  readonly #nodes = new Map<number, readonly [number, number]>();
  #low = 0;
  #high = 0;

  set(record: NodeRecord): void {
    this.delete(record[0]);
    const hash = hashNode(record);
    this.#nodes.set(record[0], hash);
    this.#low = (this.#low + hash[0]) >>> 0;
    this.#high = (this.#high + hash[1]) >>> 0;
  }

  delete(refId: number): void {
    const hash = this.#nodes.get(refId);
    if (hash === undefined) return;
    this.#nodes.delete(refId);
    this.#low = (this.#low - hash[0]) >>> 0;
    this.#high = (this.#high - hash[1]) >>> 0;
  }

  has(refId: number): boolean {
    return this.#nodes.has(refId);
  }

  toString(): string {
    return hexOf(this.#low, this.#high);
  }
}

const hexOf = (low: number, high: number): string =>
  high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");

/** Of anything that is bytes already. */
export function hashBytes(bytes: Uint8Array): string {
  return hexOf(...hashOf(bytes));
}

const hashNode = (record: NodeRecord): readonly [number, number] => hashOf(packr.pack(record));

function hashOf(bytes: Uint8Array): readonly [number, number] {
  let low = FNV_OFFSET;
  let high = SECOND_OFFSET;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    low = Math.imul(low ^ byte, FNV_PRIME);
    high = Math.imul(high ^ byte, FNV_PRIME) ^ (high >>> 15);
  }
  return [low >>> 0, high >>> 0];
}
