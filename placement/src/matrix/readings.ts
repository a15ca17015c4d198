/** Round trips as a file has them, by the names of the two nodes: in its unit, with gaps, some pairs measured often. */
import { quantile } from "../latency/quantile.js";
import { MS_PER_UNIT, type RttUnit } from "./unit.js";

/** More nodes than these are no table of round trips that a simulation could hold. */
const KEY_BASE = 2 ** 26;

/** Names are the same whatever their case and spaces. */
export const labelKey = (label: string): string => label.trim().replace(/\s+/g, " ").toLowerCase();

export class Readings {
  /** As it is said to people, such as "square matrix". */
  layout = "";
  /** Undefined until something in the file says it. */
  unit: RttUnit | undefined;
  /** What said so. */
  unitFrom = "";
  /** Numbers have units of their own: no other can be asked for. */
  unitInCells = false;
  /** What else a reader should know. */
  readonly notes: string[] = [];
  readonly labels: string[] = [];
  /** False where nodes have only numbers of ours: other files then have the same nodes in the same order. */
  named = true;
  readonly #slots = new Map<string, number>();
  readonly #values = new Map<number, number | number[]>();

  /** The number of a node, which is new if its name was not known. */
  node(label: string): number {
    const known = this.#slots.get(label);
    if (known !== undefined) return known;
    const name = label.trim().replace(/\s+/g, " ");
    const key = labelKey(name);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.labels.length;
      this.#slots.set(key, slot);
      this.labels.push(name);
    }
    return slot;
  }

  /** @param key a `labelKey` */
  has(key: string): boolean {
    return this.#slots.has(key);
  }

  say(unit: RttUnit | undefined, from: string): void {
    if (this.unit !== undefined || unit === undefined) return;
    this.unit = unit;
    this.unitFrom = from;
  }

  /** @param unit of this number, where it has one of its own */
  add(from: number, to: number, value: number, unit: RttUnit | undefined): void {
    if (unit !== undefined) {
      this.say(unit, "of its cells");
      this.unitInCells = true;
    }
    if (from === to) return;
    const scaled =
      unit !== undefined && this.unit !== undefined && unit !== this.unit
        ? (value * MS_PER_UNIT[unit]) / MS_PER_UNIT[this.unit]
        : value;
    const key = from * KEY_BASE + to;
    const before = this.#values.get(key);
    if (before === undefined) this.#values.set(key, scaled);
    else if (typeof before === "number") this.#values.set(key, [before, scaled]);
    else before.push(scaled);
  }

  /** Of pairs that were measured several times the median. */
  *[Symbol.iterator](): IterableIterator<{ from: number; to: number; value: number }> {
    for (const [key, of] of this.#values) {
      const value =
        typeof of === "number"
          ? of
          : quantile(
              of.sort((a, b) => a - b),
              0.5,
            );
      yield { from: Math.floor(key / KEY_BASE), to: key % KEY_BASE, value };
    }
  }

  get pairs(): number {
    return this.#values.size;
  }

  /** Measurements of the pair that was measured most often. */
  get mostPerPair(): number {
    let most = 0;
    for (const of of this.#values.values()) most = Math.max(most, typeof of === "number" ? 1 : of.length);
    return most;
  }
}
