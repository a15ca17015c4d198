/** A room's state on its way to another host while the room runs: all of it once, then again and again what was written meanwhile. */
import { setImmediate as nextLoop } from "node:timers/promises";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { StateCopy } from "../transfer/state-copy.js";
import type { DestinationLine } from "./destination-line.js";

/** The first pass yields to the room after this long, so that players notice nothing. */
const COPY_SLICE_MS = 1.5;
const COPY_CHUNK_NODES = 256;
/** Further passes bring what the freeze has to ship down to about this many nodes. */
const FREEZE_NODES = 64;
const MAX_DIRTY_PASSES = 4;

export interface StateShipmentOptions {
  room: MovableRoom;
  line: DestinationLine;
  /** What a standby at the destination has of it already. */
  copied: StateCopy | undefined;
  now: () => number;
}

export class StateShipment implements Disposable {
  readonly #options: StateShipmentOptions;
  #copied: StateCopy;
  #rounds = 0;

  constructor(options: StateShipmentOptions) {
    this.#options = options;
    this.#copied = options.copied ?? new StateCopy(options.room);
  }

  /** What has gone to the destination, and what it still lacks. */
  get copied(): StateCopy {
    return this.#copied;
  }

  /** Passes over the state so far. */
  get rounds(): number {
    return this.#rounds;
  }

  /** First pass: every node once, in slices, while the room runs and marks what it writes. @throws CentroidError */
  async whole(): Promise<void> {
    const { line, now } = this.#options;
    let chunk: NodeRecord[] = [];
    let sliceEndsAt = now() + COPY_SLICE_MS;
    for (const refId of this.#copied.takeDue()) {
      const record = this.#copied.read(refId);
      if (record === undefined) continue;
      chunk.push(record);
      if (chunk.length >= COPY_CHUNK_NODES || now() >= sliceEndsAt) {
        line.send({ type: "nodes", nodes: chunk });
        chunk = [];
        await nextLoop();
        line.check();
        sliceEndsAt = now() + COPY_SLICE_MS;
      }
    }
    if (chunk.length > 0) line.send({ type: "nodes", nodes: chunk });
    this.#rounds++;
    line.send({ type: "built" });
    await line.receive("built");
  }

  /** Further passes over what was written meanwhile, so that little is left for the freeze. @throws CentroidError */
  async written(): Promise<void> {
    const { line } = this.#options;
    for (let pass = 0; pass < MAX_DIRTY_PASSES && this.#copied.dueCount > FREEZE_NODES; pass++) {
      const refIds = this.#copied.takeDue();
      for (let at = 0; at < refIds.length; at += COPY_CHUNK_NODES) {
        const nodes = this.#copied.readAll(refIds.slice(at, at + COPY_CHUNK_NODES));
        line.send({ type: "nodes", nodes });
        await nextLoop();
        line.check();
      }
      this.#rounds++;
    }
  }

  /** From the beginning, for a destination that has given up what it had. */
  beginAgain(): void {
    this.#copied[Symbol.dispose]();
    this.#copied = new StateCopy(this.#options.room);
  }

  [Symbol.dispose](): void {
    this.#copied[Symbol.dispose]();
  }
}
