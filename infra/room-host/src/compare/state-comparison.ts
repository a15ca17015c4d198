/**
 * Players' copies of a state are compared with the room's, now and then: what @colyseus/schema gets wrong would otherwise
 * stay wrong for as long as they play. Whose copy differs gets the full state, and the operator learns where it differed.
 * For stock clients, which cannot compare, the host keeps a copy as they have it. Left out are players with a view, who each
 * have another state.
 */
import {
  type ClientControl,
  digestState,
  MAX_DIVERGED_NODES,
  MAX_SKIPPED_FIELDS,
  pathsOf,
  type StateDigest,
} from "@centroid/protocol";
import { ClientState } from "@colyseus/core";
import type { Encoder } from "@colyseus/schema";
import type { MovableClient } from "../colyseus/movable-client.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import { digestOptions, unknownOrders } from "../colyseus/schema/full-state.js";
import { StockCopy } from "./stock-copy.js";

/** Comparing a large state may take at most this share of the time. */
const MAX_CPU_SHARE = 0.02;
/** A copy for stock clients takes a moment of a large state, which is not to come on top of the room's way here. */
const COPY_AFTER_MS = 2_000;
/** Places that are named in the log. */
const MAX_NAMED = 3;
/** Keys of one map whose order fits into a control frame. */
const MAX_ORDERED_KEYS = 3_000;

export interface StateComparisonOptions {
  room: MovableRoom;
  intervalMs: number;
  now: () => number;
  notice: (line: string) => void;
  onDiverged: (sessionId: string) => void;
}

interface Compared {
  number: number;
  digest: StateDigest;
}

interface Reading {
  encoder: Encoder;
  options: ReturnType<typeof digestOptions>;
}

export class StateComparison implements Disposable {
  readonly #options: StateComparisonOptions;
  readonly #detach: () => void;
  /** Where a copy differed when it was last given the full state. A client that writes into its own copy differs again. */
  readonly #healed = new WeakMap<MovableClient, ReadonlySet<number>>();
  #reading: Reading | undefined;
  /** As long as there are players on stock clients. */
  #copy: StockCopy | undefined;
  #copyTooDear = false;
  #last: Compared | undefined;
  #patches = -1;
  #dueAtMs: number;
  readonly #copyFromMs: number;
  #number = 0;

  constructor(options: StateComparisonOptions) {
    this.#options = options;
    const nowMs = options.now();
    this.#dueAtMs = nowMs + options.intervalMs;
    this.#copyFromMs = nowMs + Math.min(options.intervalMs / 2, COPY_AFTER_MS);
    this.#detach = options.room.move.patches.onAfter(() => this.#patched());
  }

  [Symbol.dispose](): void {
    this.#detach();
    this.#copy?.[Symbol.dispose]();
  }

  /** The client's copy is not what the room has. */
  diverged(client: MovableClient, { number, nodes }: Extract<ClientControl, { type: "diverged" }>): void {
    const compared = this.#last;
    const { room, notice, onDiverged } = this.#options;
    const reading = this.#read();
    // On its way to another host it says nothing that is not counted there.
    if (room.move.clock.held) return;
    // Too late to say where, or it is away by now.
    if (compared?.number !== number || reading === undefined || !this.#compares(client)) return;
    const { encoder, options } = reading;
    const theirs = new Map(nodes);
    const differing = new Set<number>();
    // Of a large state the client names the first nodes only.
    const upTo = nodes.length < MAX_DIVERGED_NODES ? Number.POSITIVE_INFINITY : (nodes.at(-1)?.[0] ?? 0);
    for (const [refId, hash] of compared.digest.nodes)
      if (refId <= upTo && theirs.get(refId) !== hash) differing.add(refId);
    const before = this.#healed.get(client);
    if (before !== undefined && [...differing].every((refId) => before.has(refId))) return;
    this.#healed.set(client, new Set([...(before ?? []), ...differing]));
    const named = pathsOf(encoder.state, differing, options);
    const where = named.slice(0, MAX_NAMED).join(", ") || "a node that is not among its first";
    const more = named.length > MAX_NAMED ? ` and ${named.length - MAX_NAMED} more` : "";
    notice(
      `room ${room.roomId}: the state of session ${client.sessionId} differed at ${where}${more}; it was sent again`,
    );
    onDiverged(client.sessionId);
    room.move.sendWhole(client);
    for (const [refId, indexes] of unknownOrders(encoder))
      if (indexes.length <= MAX_ORDERED_KEYS) client.link.control({ type: "map-order", refId, indexes });
  }

  /** Right after a patch: what has been sent is what there is. */
  #patched(): void {
    const { room, intervalMs, now } = this.#options;
    const startedAtMs = now();
    if (room.move.clock.held) return;
    const copies = startedAtMs >= this.#copyFromMs && !this.#copyTooDear;
    if (this.#copy === undefined && copies) this.#beginCopy();
    if (startedAtMs < this.#dueAtMs) return;
    const all = movableClients(room);
    const clients = all.filter((client) => this.#compares(client));
    const stock = all.filter(isStock);
    if (stock.length === 0) this.#endCopy();
    if (clients.length + stock.length === 0 || room.move.patches.count === this.#patches) return;
    this.#patches = room.move.patches.count;
    const reading = this.#read();
    if (reading === undefined) return;
    const { encoder, options } = reading;
    if (options.skip.length > MAX_SKIPPED_FIELDS) return;
    const digest = digestState(encoder.state, options);
    this.#last = { number: ++this.#number, digest };
    for (const { link } of clients)
      link.control({ type: "digest", number: this.#number, hash: digest.hash, skip: options.skip });
    this.#mendStock(stock, digest, reading);
    const endedAtMs = now();
    this.#dueAtMs = endedAtMs + Math.max(intervalMs, (endedAtMs - startedAtMs) / MAX_CPU_SHARE);
  }

  #beginCopy(): void {
    const { room, now } = this.#options;
    const { clients } = room as unknown as { clients: MovableClient[] };
    if (!clients.some(isStock) || this.#read() === undefined) return;
    this.#copy = new StockCopy(room, now);
  }

  #endCopy(): void {
    this.#copy?.[Symbol.dispose]();
    this.#copy = undefined;
  }

  /** What present clients are told wrongly, all of them are: they get the full state together. */
  #mendStock(stock: readonly MovableClient[], { nodes }: StateDigest, { encoder, options }: Reading): void {
    const copy = this.#copy;
    const { room, notice, onDiverged } = this.#options;
    if (copy === undefined) return;
    const differing = copy.differing(nodes, options.skip);
    if (differing.size > 0) {
      const where = pathsOf(encoder.state, differing, options).slice(0, MAX_NAMED).join(", ");
      notice(
        `room ${room.roomId}: the state of ${stock.length} players on stock clients differed at ${where}; it was sent again`,
      );
      for (const client of stock) {
        onDiverged(client.sessionId);
        room.move.sendWhole(client);
      }
      copy.mended(nodes, options.skip);
    }
    if (!copy.tooDear) return;
    this.#copyTooDear = true;
    this.#endCopy();
    notice(
      `room ${room.roomId}: its patches take too much time to read here; what players on stock clients have is not compared`,
    );
  }

  /** How the room's state is read; another encoder has another state. */
  #read(): Reading | undefined {
    const encoder = this.#options.room.move.snapshot.encoder as Encoder | undefined;
    if (encoder !== undefined && this.#reading?.encoder !== encoder) {
      this.#reading = { encoder, options: digestOptions(encoder) };
      this.#endCopy();
    }
    return this.#reading;
  }

  #compares({ state, view, link }: MovableClient): boolean {
    return state === ClientState.JOINED && view === undefined && link.compares && link.connected;
  }
}

/** It has what all have, and cannot say whether. */
const isStock = ({ state, view, link }: MovableClient): boolean =>
  state === ClientState.JOINED && view === undefined && !link.compares;
