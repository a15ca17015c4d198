/**
 * Hosts by neighbourhoods of neighbourhoods in latency space, so that a search rules out many at a time. A host that
 * moves widens the neighbourhoods it is in; after many moves they are drawn anew.
 */
import type { Neighbourhood } from "../latency/estimate-bound.js";
import type { LatencyMap } from "../latency/latency-map.js";
import { HEIGHT, STRIDE } from "../latency/node-space.js";

/** Hosts of the smallest neighbourhoods. */
const LEAF = 8;
/** Moves per host after which neighbourhoods are drawn anew. */
const STALE_SHARE = 0.25;

export interface HostNode extends Neighbourhood {
  /** Of all nodes; the root is 0. */
  index: number;
  parent: HostNode | undefined;
  /** Slots of a leaf, undefined in between. */
  slots: readonly number[] | undefined;
  children: readonly HostNode[];
}

export class HostTree {
  readonly #map: LatencyMap;
  #nodes: HostNode[] = [];
  /** By slot. */
  #leaves: (HostNode | undefined)[] = [];
  #version = -1;
  #moves = 0;
  #widened = 0;

  constructor(map: LatencyMap) {
    this.#map = map;
  }

  /** @param version of the set of hosts; the tree is drawn anew when it has changed */
  sync(slots: readonly number[], version: number): void {
    const { moves } = this.#map;
    if (version === this.#version && moves.count === this.#moves) return;
    const moved = version === this.#version ? moves.since(this.#moves) : undefined;
    this.#moves = moves.count;
    if (moved !== undefined) this.#widened += moved.length;
    if (moved === undefined || this.#widened > STALE_SHARE * slots.length) this.#draw(slots, version);
    else for (const slot of moved) this.#widen(slot);
  }

  get root(): HostNode | undefined {
    return this.#nodes[0];
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** The smallest neighbourhood that a host is in. */
  leafOf(slot: number): HostNode | undefined {
    return this.#leaves[slot];
  }

  *leaves(): IterableIterator<HostNode> {
    for (const node of this.#nodes) if (node.slots !== undefined) yield node;
  }

  #draw(slots: readonly number[], version: number): void {
    this.#nodes = [];
    this.#leaves = [];
    this.#version = version;
    this.#widened = 0;
    if (slots.length > 0) this.#add([...slots], undefined);
  }

  #add(slots: number[], parent: HostNode | undefined): HostNode {
    const at = this.#map.hostCoordinates;
    const low = [Infinity, Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity, -Infinity];
    for (const slot of slots)
      for (let d = 0; d <= HEIGHT; d++) {
        const value = at[slot * STRIDE + d] ?? 0;
        low[d] = Math.min(low[d] ?? 0, value);
        high[d] = Math.max(high[d] ?? 0, value);
      }
    const [x = 0, y = 0, z = 0] = low.map((value, d) => (value + (high[d] ?? 0)) / 2);
    const isLeaf = slots.length <= LEAF;
    const children: HostNode[] = [];
    const node: HostNode = {
      index: this.#nodes.length,
      parent,
      slots: isLeaf ? slots : undefined,
      children,
      x,
      y,
      z,
      radiusMs: 0,
      heightMs: low[HEIGHT] ?? 0,
    };
    this.#nodes.push(node);
    for (const slot of slots) {
      node.radiusMs = Math.max(node.radiusMs, fromCentreMs(node, at, slot));
      if (isLeaf) this.#leaves[slot] = node;
    }
    if (isLeaf) return node;
    let widest = 0;
    for (let d = 1; d < HEIGHT; d++)
      if ((high[d] ?? 0) - (low[d] ?? 0) > (high[widest] ?? 0) - (low[widest] ?? 0)) widest = d;
    const along = (slot: number): number => at[slot * STRIDE + widest] ?? 0;
    slots.sort((a, b) => along(a) - along(b) || a - b);
    const middle = slots.length >> 1;
    children.push(this.#add(slots.slice(0, middle), node), this.#add(slots.slice(middle), node));
    return node;
  }

  #widen(slot: number): void {
    const at = this.#map.hostCoordinates;
    for (let node = this.#leaves[slot]; node !== undefined; node = node.parent) {
      node.radiusMs = Math.max(node.radiusMs, fromCentreMs(node, at, slot));
      node.heightMs = Math.min(node.heightMs, at[slot * STRIDE + HEIGHT] ?? 0);
    }
  }
}

function fromCentreMs({ x, y, z }: Neighbourhood, at: Float64Array, slot: number): number {
  const dx = (at[slot * STRIDE] ?? 0) - x;
  const dy = (at[slot * STRIDE + 1] ?? 0) - y;
  const dz = (at[slot * STRIDE + 2] ?? 0) - z;
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}
