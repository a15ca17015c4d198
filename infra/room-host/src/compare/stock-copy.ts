/**
 * What players on stock clients have of a room's state. They cannot compare it themselves, so that their copy is made here
 * as it is there: from the same full state, by the same patches, with the same decoder.
 */
import { digestState, type SkippedField } from "@centroid/protocol";
import { type Client, ClientState, ProtocolModifier } from "@colyseus/core";
import { type Decoder, Reflection } from "@colyseus/schema";
import { internals } from "../colyseus/core-internals.js";
import type { MovableRoom } from "../colyseus/movable-room.js";

const CODE_BYTES = 1;
/** In front of what rooms with inputs say: time and number of the last input. */
const TIMED_BYTES = 8;
/** Reading patches may take at most this share of the time, looked at so often. */
const MAX_CPU_SHARE = 0.02;
const CPU_WINDOW_MS = 10_000;

export class StockCopy implements Disposable {
  readonly #room: MovableRoom;
  #decoder: Decoder;
  readonly #now: () => number;
  /** How long reading patches has taken since then. */
  #spentMs = 0;
  #sinceMs: number;
  /** A patch could not be read, as it cannot by those who got it. */
  #unreadable = false;
  /** Nodes that a full state does not mend, such as maps in another order. */
  #beyondMending: ReadonlySet<number> = new Set();

  /** To be made between two patches. */
  constructor(room: MovableRoom, now: () => number) {
    this.#room = room;
    this.#now = now;
    this.#sinceMs = now();
    this.#decoder = this.#fresh();
    this.#whole();
    const witness = { state: ClientState.JOINED, raw: (frame: Uint8Array) => this.#patch(frame) };
    room.move.patches.witness = witness as unknown as Client;
  }

  [Symbol.dispose](): void {
    this.#room.move.patches.witness = undefined;
  }

  /** It costs more than it is worth. */
  get tooDear(): boolean {
    const nowMs = this.#now();
    const windowMs = nowMs - this.#sinceMs;
    if (windowMs < CPU_WINDOW_MS) return false;
    const share = this.#spentMs / windowMs;
    this.#spentMs = 0;
    this.#sinceMs = nowMs;
    return share > MAX_CPU_SHARE;
  }

  /** @returns nodes that are not as the room has them and that a full state may mend */
  differing(room: ReadonlyMap<number, number>, skip: readonly SkippedField[]): Set<number> {
    if (this.#unreadable) return new Set(room.keys());
    const differing = this.#compare(room, skip);
    return new Set([...differing].filter((refId) => !this.#beyondMending.has(refId)));
  }

  /** They have been sent the full state. */
  mended(room: ReadonlyMap<number, number>, skip: readonly SkippedField[]): void {
    if (this.#unreadable) this.#decoder = this.#fresh();
    this.#unreadable = false;
    this.#whole();
    this.#beyondMending = this.#compare(room, skip);
  }

  #compare(room: ReadonlyMap<number, number>, skip: readonly SkippedField[]): Set<number> {
    const { state, context } = this.#decoder;
    const typeOf = (klass: object): number | undefined =>
      context.getTypeId(klass as never) as number | undefined;
    const { nodes } = digestState(state, { skip, typeOf });
    const differing = new Set<number>();
    for (const [refId, hash] of room) if (nodes.get(refId) !== hash) differing.add(refId);
    return differing;
  }

  #fresh(): Decoder {
    return Reflection.decode(internals(this.#room)._serializer.handshake?.() ?? new Uint8Array());
  }

  /** As the SDK takes a full state (@colyseus/sdk 0.18.4). */
  #whole(): void {
    const frame = internals(this.#room)._serializer.getFullState() as Uint8Array;
    const at = { offset: CODE_BYTES };
    if (this.#decoder.root.refs.size > 1) this.#decoder.decodeResync(frame, at);
    else this.#decoder.decode(frame, at);
  }

  #patch(frame: Uint8Array): void {
    if (this.#unreadable) return;
    const startedAtMs = this.#now();
    const timed = ((frame[0] ?? 0) & ProtocolModifier.TIMED) !== 0;
    try {
      this.#decoder.decode(frame, { offset: CODE_BYTES + (timed ? TIMED_BYTES : 0) });
    } catch {
      this.#unreadable = true;
    }
    this.#spentMs += this.#now() - startedAtMs;
  }
}
