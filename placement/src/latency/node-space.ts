/**
 * Nodes of latency space in flat arrays: position (x, y, z) and height of slot s are four numbers from `s * STRIDE`.
 * Whoever takes a slot knows whose it is; slots given back are used again.
 */

import { grown } from "./grown.js";

/** x, y, z and height; four doubles are half a cache line. */
export const STRIDE = 4;
export const HEIGHT = 3;
export const MIN_HEIGHT_MS = 0.1;

export class NodeSpace {
  /** Position and height by slot, ms. */
  at = new Float64Array(STRIDE * 16);
  /** Position and height as estimates use them: they follow in steps, see {@link publish}. */
  published = new Float64Array(STRIDE * 16);
  /** Expected relative error by slot, 0..1: small after many agreeing samples. */
  error = new Float64Array(16);
  /** By slot: grows with every change of what is known of the node, and when the slot changes hands. */
  revisions = new Uint32Array(16);
  /** Slots ever in use; each below this is taken or free. */
  end = 0;
  readonly #free: number[] = [];

  /** A slot for a node of which nothing is known. */
  take(id: string): number {
    const slot = this.#free.pop() ?? this.end++;
    if (slot >= this.error.length) this.#grow();
    this.reset(slot, id);
    return slot;
  }

  giveBack(slot: number): void {
    this.#free.push(slot);
    this.changed(slot);
  }

  /** Nothing is known of it (any more). Its tiny offset comes from its id, so equal inputs give equal outputs. */
  reset(slot: number, id: string): void {
    let hash = 2166136261;
    for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
    for (let i = 0; i < HEIGHT; i++) {
      hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
      this.at[slot * STRIDE + i] = ((hash >>> 0) / 2 ** 32 - 0.5) * 2;
    }
    this.at[slot * STRIDE + HEIGHT] = MIN_HEIGHT_MS;
    this.error[slot] = 1;
    this.publish(slot);
  }

  changed(slot: number): void {
    this.revisions[slot] = (this.revisions[slot] ?? 0) + 1;
  }

  publish(slot: number): void {
    for (let i = slot * STRIDE; i < (slot + 1) * STRIDE; i++) this.published[i] = this.at[i] ?? 0;
  }

  /** How far a node is from where estimates have it, ms. */
  driftMs(slot: number): number {
    let square = 0;
    for (let i = slot * STRIDE; i < slot * STRIDE + HEIGHT; i++)
      square += ((this.at[i] ?? 0) - (this.published[i] ?? 0)) ** 2;
    const h = slot * STRIDE + HEIGHT;
    return Math.sqrt(square) + Math.abs((this.at[h] ?? 0) - (this.published[h] ?? 0));
  }

  #grow(): void {
    const slots = this.error.length * 2;
    this.at = grown(this.at, new Float64Array(STRIDE * slots));
    this.published = grown(this.published, new Float64Array(STRIDE * slots));
    this.error = grown(this.error, new Float64Array(slots));
    this.revisions = grown(this.revisions, new Uint32Array(slots));
  }
}
