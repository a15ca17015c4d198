/**
 * Hosts in latency space: their coordinates as they are learned, and as estimates use them. An estimate follows a
 * host's coordinate in steps, so that a wobble costs nobody a new fit.
 */
import { chordRttMs, geodesicRttMs, onSphere, type Place } from "./geodesic.js";
import { grown } from "./grown.js";
import { HostMoves } from "./host-moves.js";
import { greedyMedian } from "./landmarks.js";
import { HEIGHT, NodeSpace, STRIDE } from "./node-space.js";
import type { HostPlace } from "./types.js";
import { spanMs } from "./vivaldi.js";

/** Size of the steps. */
const PUBLISH_MS = 2;
/** A claimed location may be a city off, so the bound has slack. */
const GEODESIC_SLACK = 0.8;
const GEODESIC_FREE_MS = 4;
/** The error of a host that nobody has measured yet. */
const UNTRAINED_ERROR = 1;

export class HostSpace {
  /** As they are learned. */
  readonly nodes = new NodeSpace();
  /** Places on the unit sphere, three numbers by slot. */
  spheres = new Float64Array(0);
  /** Of published coordinates. */
  readonly moves = new HostMoves();
  /** No host is or was farther from the origin of coordinates, height included, ms. */
  reachMs = 0;
  #versions = new Int32Array(0);
  readonly #slots = new Map<string, number>();
  readonly #places = new Map<number, Place>();
  #landmarks: string[] | undefined;

  upsert({ hostId, latitude, longitude }: HostPlace): void {
    const slot = this.#slots.get(hostId) ?? this.#take(hostId);
    const before = this.#places.get(slot);
    this.#places.set(slot, { latitude, longitude });
    this.spheres.set(onSphere({ latitude, longitude }), slot * 3);
    if (before?.latitude !== latitude || before.longitude !== longitude) this.#publish(slot);
  }

  /** @returns the slot it had, -1 if it was not known */
  remove(hostId: string): number {
    const slot = this.slot(hostId);
    if (slot < 0) return slot;
    this.#slots.delete(hostId);
    this.nodes.giveBack(slot);
    this.#places.delete(slot);
    this.#landmarks = undefined;
    return slot;
  }

  /** -1 if the host is not known. */
  slot(hostId: string): number {
    return this.#slots.get(hostId) ?? -1;
  }

  /** As estimates use them, by slot as in a node space. */
  get published(): Float64Array {
    return this.nodes.published;
  }

  /** Hosts by id, each with its slot. */
  entries(): IterableIterator<[string, number]> {
    return this.#slots.entries();
  }

  /** Slots in use. */
  slots(): IterableIterator<number> {
    return this.#places.keys();
  }

  /** Grows whenever the published coordinate of this host changes. */
  version(slot: number): number {
    return this.#versions[slot] ?? 0;
  }

  /** Publishes a host that has moved notably. */
  follow(slot: number): void {
    if (this.nodes.driftMs(slot) > PUBLISH_MS) this.#publish(slot);
  }

  /** What light forbids a round trip to fall below, ms; undefined without a place. */
  boundMs(place: Place | undefined, slot: number): number | undefined {
    const there = this.#places.get(slot);
    if (place === undefined || there === undefined) return undefined;
    return geodesicRttMs(place, there) * GEODESIC_SLACK - GEODESIC_FREE_MS;
  }

  /** The host nearest in coordinates to node `at[slot]`; -1 without hosts. */
  nearest(at: Float64Array, slot: number): number {
    let host = -1;
    let nearest = Number.POSITIVE_INFINITY;
    for (const other of this.#places.keys()) {
      const distance = spanMs(at, slot, this.published, other);
      if (distance < nearest) {
        nearest = distance;
        host = other;
      }
    }
    return host;
  }

  /** The greedy k-median. O(count x hosts^2) once coordinates have changed, else nothing. */
  landmarks(count: number): string[] {
    if (this.#landmarks === undefined || this.#landmarks.length < Math.min(count, this.#slots.size))
      this.#landmarks = greedyMedian(this.#slots, (a, b) => this.#apartMs(a, b), count);
    return this.#landmarks.slice(0, count);
  }

  /** By coordinates; before anybody has measured one of the two, by the bound that geography sets. */
  #apartMs(a: number, b: number): number {
    const { error } = this.nodes;
    if ((error[a] ?? 1) < UNTRAINED_ERROR && (error[b] ?? 1) < UNTRAINED_ERROR)
      return spanMs(this.published, a, this.published, b);
    const { spheres } = this;
    let squaredChord = 0;
    for (let i = 0; i < 3; i++) squaredChord += ((spheres[a * 3 + i] ?? 0) - (spheres[b * 3 + i] ?? 0)) ** 2;
    return chordRttMs(squaredChord);
  }

  #publish(slot: number): void {
    this.nodes.publish(slot);
    this.#versions[slot] = this.version(slot) + 1;
    this.moves.add(slot);
    const { published } = this.nodes;
    const at = slot * STRIDE;
    const fromOriginMs = Math.hypot(published[at] ?? 0, published[at + 1] ?? 0, published[at + 2] ?? 0);
    this.reachMs = Math.max(this.reachMs, fromOriginMs + (published[at + HEIGHT] ?? 0));
    this.#landmarks = undefined;
  }

  #take(hostId: string): number {
    const slot = this.nodes.take(hostId);
    this.#slots.set(hostId, slot);
    const slots = this.nodes.error.length;
    if (this.#versions.length >= slots) return slot;
    this.#versions = grown(this.#versions, new Int32Array(slots));
    this.spheres = grown(this.spheres, new Float64Array(slots * 3));
    return slot;
  }
}
