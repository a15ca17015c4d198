/**
 * Hosts by neighbourhoods in latency space, so that a search rules out several at a time. A host that moves widens the
 * neighbourhood it is in; after many moves they are drawn anew.
 */
import type { Neighbourhood } from "../latency/estimate-bound.js";
import type { LatencyMap } from "../latency/latency-map.js";
import { HEIGHT, STRIDE } from "../latency/node-space.js";

/** Hosts of a neighbourhood at most. */
const MOST_HOSTS = 8;
/** Moves per host after which neighbourhoods are drawn anew. */
const STALE_SHARE = 0.25;

export interface HostNeighbourhood extends Neighbourhood {
  /** Of all neighbourhoods, from 0. */
  index: number;
  slots: readonly number[];
}

export class Neighbourhoods {
  readonly #map: LatencyMap;
  #all: HostNeighbourhood[] = [];
  /** By slot. */
  #of: (HostNeighbourhood | undefined)[] = [];
  #drawing = 0;
  #version = -1;
  #moves = 0;
  #widened = 0;

  constructor(map: LatencyMap) {
    this.#map = map;
  }

  /** @param version of the set of hosts; all are drawn anew when it has changed */
  sync(slots: readonly number[], version: number): void {
    const { moves } = this.#map;
    if (version === this.#version && moves.count === this.#moves) return;
    const moved = version === this.#version ? moves.since(this.#moves) : undefined;
    this.#moves = moves.count;
    if (moved !== undefined) this.#widened += moved.length;
    if (moved === undefined || this.#widened > STALE_SHARE * slots.length) this.#draw(slots, version);
    else for (const slot of moved) this.#widen(slot);
  }

  get all(): readonly HostNeighbourhood[] {
    return this.#all;
  }

  /** Grows when they are drawn anew. */
  get drawing(): number {
    return this.#drawing;
  }

  /** The one that a host is in. */
  of(slot: number): HostNeighbourhood | undefined {
    return this.#of[slot];
  }

  #draw(slots: readonly number[], version: number): void {
    this.#all = [];
    this.#of = [];
    this.#drawing++;
    this.#version = version;
    this.#widened = 0;
    if (slots.length > 0) this.#divide([...slots]);
  }

  /** In halves along whichever axis they are spread most, until few are left. */
  #divide(slots: number[]): void {
    const at = this.#map.hostCoordinates;
    const low = [Infinity, Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity, -Infinity];
    for (const slot of slots)
      for (let d = 0; d <= HEIGHT; d++) {
        const value = at[slot * STRIDE + d] ?? 0;
        low[d] = Math.min(low[d] ?? 0, value);
        high[d] = Math.max(high[d] ?? 0, value);
      }
    if (slots.length <= MOST_HOSTS) {
      const [x = 0, y = 0, z = 0] = low.map((value, d) => (value + (high[d] ?? 0)) / 2);
      this.#add({ index: this.#all.length, slots, x, y, z, radiusMs: 0, heightMs: low[HEIGHT] ?? 0 });
      return;
    }
    let widest = 0;
    for (let d = 1; d < HEIGHT; d++)
      if ((high[d] ?? 0) - (low[d] ?? 0) > (high[widest] ?? 0) - (low[widest] ?? 0)) widest = d;
    const along = (slot: number): number => at[slot * STRIDE + widest] ?? 0;
    slots.sort((a, b) => along(a) - along(b) || a - b);
    const middle = slots.length >> 1;
    this.#divide(slots.slice(0, middle));
    this.#divide(slots.slice(middle));
  }

  #add(neighbourhood: HostNeighbourhood): void {
    this.#all.push(neighbourhood);
    for (const slot of neighbourhood.slots) {
      this.#of[slot] = neighbourhood;
      this.#widen(slot);
    }
  }

  #widen(slot: number): void {
    const neighbourhood = this.#of[slot];
    if (neighbourhood === undefined) return;
    const at = this.#map.hostCoordinates;
    neighbourhood.radiusMs = Math.max(neighbourhood.radiusMs, fromCentreMs(neighbourhood, at, slot));
    neighbourhood.heightMs = Math.min(neighbourhood.heightMs, at[slot * STRIDE + HEIGHT] ?? 0);
  }
}

function fromCentreMs({ x, y, z }: Neighbourhood, at: Float64Array, slot: number): number {
  const dx = (at[slot * STRIDE] ?? 0) - x;
  const dy = (at[slot * STRIDE + 1] ?? 0) - y;
  const dz = (at[slot * STRIDE + 2] ?? 0) - z;
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}
