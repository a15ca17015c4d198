/**
 * Proof of exactly-once, by the room's own count: players number their messages, the room keeps what came.
 * Ordinary room state; it neither knows nor asks how the messages travelled.
 */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const Ledger = schema(
  {
    /** Highest number seen. */
    last: t.uint32().default(0),
    received: t.uint32().default(0),
    /** Numbers below `last` not seen yet. */
    missing: t.uint32().default(0),
    duplicated: t.uint32().default(0),
    reordered: t.uint32().default(0),
    /** Over number and nonce of every message in order of arrival. */
    checksum: t.uint32().default(0),
  },
  "Ledger",
);
export type Ledger = SchemaType<typeof Ledger>;

/** The checksum after one more message. Clients compute the same over what they sent. */
export function mixChecksum(checksum: number, n: number, nonce: number): number {
  return (Math.imul(Math.imul(checksum ^ n, 0x9e3779b1) ^ nonce, 0x85ebca6b) ^ (checksum >>> 15)) >>> 0;
}

/**
 * Enters one numbered message.
 * @param gaps numbers of this player still missing; kept by the room next to the state
 */
export function enter(ledger: Ledger, gaps: Set<number>, n: number, nonce: number): void {
  ledger.received += 1;
  ledger.checksum = mixChecksum(ledger.checksum, n, nonce);
  if (n > ledger.last) {
    for (let skipped = ledger.last + 1; skipped < n && gaps.size < MAX_GAPS; skipped++) gaps.add(skipped);
    ledger.last = n;
  } else if (gaps.delete(n)) {
    ledger.reordered += 1;
  } else {
    ledger.duplicated += 1;
  }
  ledger.missing = gaps.size;
}

/** A client that skips numbers on purpose must not fill the room's memory. */
const MAX_GAPS = 10_000;

/** Gaps of all players of a room: what its `onFreeze` hands to `onThaw`, because the schema has no place for it. */
export class GapBook {
  readonly #gaps = new Map<string, Set<number>>();

  of(sessionId: string): Set<number> {
    const known = this.#gaps.get(sessionId);
    if (known) return known;
    const gaps = new Set<number>();
    this.#gaps.set(sessionId, gaps);
    return gaps;
  }

  forget(sessionId: string): void {
    this.#gaps.delete(sessionId);
  }

  toJSON(): [sessionId: string, gaps: number[]][] {
    return [...this.#gaps].filter(([, gaps]) => gaps.size > 0).map(([id, gaps]) => [id, [...gaps]]);
  }

  restore(saved: readonly (readonly [string, readonly number[]])[]): void {
    for (const [sessionId, gaps] of saved) this.#gaps.set(sessionId, new Set(gaps));
  }
}
