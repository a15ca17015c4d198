/**
 * What recent probes of each player to each host say: p50, p95, jitter, loss, over a sliding window that starts anew when
 * the path has changed. All windows of a map share a few flat arrays, as there are a dozen of them for every player.
 */
import { grown } from "./grown.js";
import { isUsual, PathChange } from "./path-change.js";
import type { Samples } from "./vivaldi.js";

/** Probes kept per pair. */
const WINDOW = 32;
/** Places for answers come in multiples of this. */
const BLOCK = 4;
/** Loss decays by this per probe, so that it is recent loss. */
const LOSS_DECAY = 0.95;
const FIRST_LENGTH = 64;
const NONE = -1;

/** Numbers of a window, from `window * FACTS`; and those for which single precision is plenty, from `window * ROUGH`. */
const FACTS = 2;
const LAST_AT_MS = 0;
const USED_MS = 1;
const ROUGH = 2;
const LOSS = 0;
const BOUND_MS = 1;

export class ProbeWindows {
  /** By window: when it was last measured, {@link usedMs}. */
  #facts = new Float64Array(FIRST_LENGTH * FACTS);
  /** By window: loss, {@link boundMs}. */
  #rough = new Float32Array(FIRST_LENGTH * ROUGH);
  #hosts = new Int32Array(FIRST_LENGTH);
  /** The player's next window, or the next free one. */
  #next = new Int32Array(FIRST_LENGTH);
  #answers = new Uint32Array(FIRST_LENGTH);
  /** Answers in the window, where its oldest is, and how many it has places for. */
  #counts = new Uint8Array(FIRST_LENGTH);
  #heads = new Uint8Array(FIRST_LENGTH);
  #places = new Uint8Array(FIRST_LENGTH);
  #fresh = new Uint8Array(FIRST_LENGTH);
  /** Where in the arrays of answers its places begin. */
  #starts = new Int32Array(FIRST_LENGTH);
  #end = 0;
  #free = NONE;
  /** Answers, ms, from the oldest on and around; and places of a window in ascending order of what they hold. */
  #rtts = new Float64Array(FIRST_LENGTH * BLOCK);
  #ranks = new Uint8Array(FIRST_LENGTH * BLOCK);
  #rttsEnd = 0;
  /** By blocks: places that are free again. */
  readonly #freeStarts: number[][] = Array.from({ length: WINDOW / BLOCK + 1 }, () => []);
  /** Of windows that have seen an unusual answer, or more in a row, just now. */
  readonly #changes = new Map<number, PathChange>();
  #idle = new PathChange();
  /** For the samples of one player after the other. */
  readonly scratch: Samples = { slots: new Int32Array(0), rttsMs: new Float64Array(0), count: 0 };

  /** @param boundMs what light forbids a round trip to fall below; undefined where the player's place is not known */
  open(host: number, boundMs: number | undefined): number {
    let window = this.#free;
    if (window === NONE) {
      window = this.#end++;
      if (window >= this.#hosts.length) this.#grow();
    } else this.#free = this.#next[window] ?? NONE;
    this.#hosts[window] = host;
    this.#next[window] = NONE;
    this.#answers[window] = 0;
    this.#counts[window] = 0;
    this.#heads[window] = 0;
    this.#places[window] = 0;
    this.#fresh[window] = 0;
    this.#facts[window * FACTS + LAST_AT_MS] = Number.NEGATIVE_INFINITY;
    this.#facts[window * FACTS + USED_MS] = Number.NaN;
    this.#rough[window * ROUGH + LOSS] = 0;
    this.setBoundMs(window, boundMs);
    return window;
  }

  close(window: number): void {
    this.#release(window);
    this.#changes.delete(window);
    this.#next[window] = this.#free;
    this.#free = window;
  }

  /** @returns true if this probe shows that the path has changed. */
  add(window: number, rttMs: number, atMs: number): boolean {
    this.#rough[window * ROUGH + LOSS] = this.loss(window) * LOSS_DECAY;
    this.#facts[window * FACTS + LAST_AT_MS] = atMs;
    this.#answers[window] = (this.#answers[window] ?? 0) + 1;
    const ofNewPath = this.#changed(window, rttMs);
    if (ofNewPath > 0) {
      this.#keepNewest(window, ofNewPath - 1);
      this.#push(window, rttMs);
      this.#answers[window] = ofNewPath;
      return true;
    }
    if (this.samples(window) >= WINDOW) this.#dropOldest(window);
    this.#push(window, rttMs);
    return false;
  }

  lost(window: number, atMs: number): void {
    this.#rough[window * ROUGH + LOSS] = this.loss(window) * LOSS_DECAY + (1 - LOSS_DECAY);
    this.#facts[window * FACTS + LAST_AT_MS] = atMs;
  }

  host(window: number): number {
    return this.#hosts[window] ?? NONE;
  }

  /** The next window of the same player; -1 after the last. */
  next(window: number): number {
    return this.#next[window] ?? NONE;
  }

  setNext(window: number, next: number): void {
    this.#next[window] = next;
  }

  /** Answers taken in since the path is as it is. */
  answers(window: number): number {
    return this.#answers[window] ?? 0;
  }

  /** Answers in the window. */
  samples(window: number): number {
    return this.#counts[window] ?? 0;
  }

  loss(window: number): number {
    return this.#rough[window * ROUGH + LOSS] ?? 0;
  }

  lastAtMs(window: number): number {
    return this.#facts[window * FACTS + LAST_AT_MS] ?? 0;
  }

  /** Median as estimates of other hosts use it: it follows in steps. NaN before it is used. */
  usedMs(window: number): number {
    return this.#facts[window * FACTS + USED_MS] ?? 0;
  }

  setUsedMs(window: number, usedMs: number): void {
    this.#facts[window * FACTS + USED_MS] = usedMs;
  }

  /** What light forbids a round trip to fall below; minus infinity where the player's place is not known. */
  boundMs(window: number): number {
    return this.#rough[window * ROUGH + BOUND_MS] ?? 0;
  }

  setBoundMs(window: number, boundMs: number | undefined): void {
    this.#rough[window * ROUGH + BOUND_MS] = boundMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Something was measured that the player's model does not have yet. */
  isFresh(window: number): boolean {
    return this.#fresh[window] === 1;
  }

  setFresh(window: number, isFresh: boolean): void {
    this.#fresh[window] = isFresh ? 1 : 0;
  }

  p50Ms(window: number): number {
    return this.#quantile(window, 0.5);
  }

  p95Ms(window: number): number {
    return this.#quantile(window, 0.95);
  }

  /** Mean step from one answer to the next. */
  jitterMs(window: number): number {
    const count = this.samples(window);
    let steps = 0;
    for (let i = 1; i < count; i++) steps += Math.abs(this.#answer(window, i) - this.#answer(window, i - 1));
    return count > 1 ? steps / (count - 1) : 0;
  }

  /** As `quantile` of the answers in ascending order. */
  #quantile(window: number, share: number): number {
    const last = this.samples(window) - 1;
    if (last < 0) return Number.NaN;
    const at = share * last;
    const low = Math.floor(at);
    const lower = this.#ranked(window, low);
    return lower + (at - low) * (this.#ranked(window, Math.min(low + 1, last)) - lower);
  }

  /** The i-th least answer. */
  #ranked(window: number, i: number): number {
    const start = this.#starts[window] ?? 0;
    return this.#rtts[start + (this.#ranks[start + i] ?? 0)] ?? 0;
  }

  /** The i-th oldest answer. */
  #answer(window: number, i: number): number {
    const places = this.#places[window] ?? 0;
    const place = (this.#heads[window] ?? 0) + i;
    return this.#rtts[(this.#starts[window] ?? 0) + (place < places ? place : place - places)] ?? 0;
  }

  #sorted(window: number): number[] {
    return Array.from({ length: this.samples(window) }, (_, i) => this.#ranked(window, i));
  }

  #changed(window: number, rttMs: number): number {
    const known = this.#changes.get(window);
    if (known === undefined && isUsual(rttMs, this.samples(window), this.p50Ms(window))) return 0;
    const change = known ?? this.#idle;
    const ofNewPath = change.take(rttMs, this.#sorted(window));
    if (known !== undefined && !change.isRunning) this.#changes.delete(window);
    else if (known === undefined && change.isRunning) {
      this.#changes.set(window, change);
      this.#idle = new PathChange();
    }
    return ofNewPath;
  }

  #push(window: number, rttMs: number): void {
    const count = this.samples(window);
    if (count === this.#places[window]) this.#extend(window, count + 1);
    const start = this.#starts[window] ?? 0;
    const places = this.#places[window] ?? 0;
    const head = this.#heads[window] ?? 0;
    const place = head + count < places ? head + count : head + count - places;
    this.#rtts[start + place] = rttMs;
    let i = count;
    for (; i > 0 && this.#ranked(window, i - 1) > rttMs; i--)
      this.#ranks[start + i] = this.#ranks[start + i - 1] ?? 0;
    this.#ranks[start + i] = place;
    this.#counts[window] = count + 1;
  }

  #dropOldest(window: number): void {
    const start = this.#starts[window] ?? 0;
    const head = this.#heads[window] ?? 0;
    const count = this.samples(window);
    const at = this.#ranks.indexOf(head, start);
    this.#ranks.copyWithin(at, at + 1, start + count);
    this.#heads[window] = head + 1 === this.#places[window] ? 0 : head + 1;
    this.#counts[window] = count - 1;
  }

  #keepNewest(window: number, kept: number): void {
    while (this.samples(window) > kept) this.#dropOldest(window);
  }

  /** Room for so many answers, those that are there from the first place on. */
  #extend(window: number, least: number): void {
    const blocks = Math.ceil(least / BLOCK);
    const free = this.#freeStarts[blocks]?.pop();
    const start = free ?? this.#rttsEnd;
    if (free === undefined) {
      this.#rttsEnd += blocks * BLOCK;
      if (this.#rttsEnd > this.#rtts.length) this.#growRtts();
    }
    const before = this.#starts[window] ?? 0;
    const places = this.#places[window] ?? 0;
    const head = this.#heads[window] ?? 0;
    for (let i = 0, count = this.samples(window); i < count; i++) {
      this.#rtts[start + i] = this.#answer(window, i);
      const place = (this.#ranks[before + i] ?? 0) - head;
      this.#ranks[start + i] = place < 0 ? place + places : place;
    }
    this.#release(window);
    this.#starts[window] = start;
    this.#places[window] = blocks * BLOCK;
    this.#heads[window] = 0;
  }

  #release(window: number): void {
    const places = this.#places[window] ?? 0;
    if (places > 0) this.#freeStarts[places / BLOCK]?.push(this.#starts[window] ?? 0);
    this.#places[window] = 0;
  }

  #grow(): void {
    const length = grownLength(this.#hosts.length);
    this.#facts = grown(this.#facts, new Float64Array(length * FACTS));
    this.#rough = grown(this.#rough, new Float32Array(length * ROUGH));
    this.#hosts = grown(this.#hosts, new Int32Array(length));
    this.#next = grown(this.#next, new Int32Array(length));
    this.#answers = grown(this.#answers, new Uint32Array(length));
    this.#counts = grown(this.#counts, new Uint8Array(length));
    this.#heads = grown(this.#heads, new Uint8Array(length));
    this.#places = grown(this.#places, new Uint8Array(length));
    this.#fresh = grown(this.#fresh, new Uint8Array(length));
    this.#starts = grown(this.#starts, new Int32Array(length));
  }

  #growRtts(): void {
    const length = grownLength(this.#rtts.length);
    this.#rtts = grown(this.#rtts, new Float64Array(length));
    this.#ranks = grown(this.#ranks, new Uint8Array(length));
  }
}

/** By a quarter: what is not used yet is memory, too. */
const grownLength = (length: number): number => length + (length >> 2) + BLOCK * WINDOW;
