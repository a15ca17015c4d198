/**
 * Which end looks at the next picture. "auto" takes the one that has answered sooner lately, and now and then shows the
 * other one a picture, too, since networks change; the worse that one is, the more seldom.
 */
import type { Answer } from "./ends.js";

export type End = Answer["end"];
export type Where = End | "auto";

/** Of the newest answer in the running mean. */
const NEWEST_SHARE = 0.2;
/** The other end has to be so much better. */
const MARGIN = 0.95;
const TRY_EVERY_MS = 2_000;
const TRY_AT_LEAST_EVERY_MS = 20_000;

export class Chooser {
  where: Where = "edge";
  readonly #meanMs: Partial<Record<End, number>> = {};
  #current: End = "edge";
  #triedAtMs = Number.NEGATIVE_INFINITY;

  /** What it takes lately, ms. */
  meanMs(end: End): number | undefined {
    return this.#meanMs[end];
  }

  answered({ end, totalMs }: Pick<Answer, "end" | "totalMs">): void {
    const before = this.#meanMs[end];
    this.#meanMs[end] = before === undefined ? totalMs : before + NEWEST_SHARE * (totalMs - before);
  }

  /** The room is elsewhere: what it took before says nothing. */
  forgetEdge(): void {
    delete this.#meanMs.edge;
    this.#triedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The end for the picture of now, and whether the other one is to look at it, too. */
  pick(nowMs: number): { end: End; alsoOther: boolean } {
    if (this.where !== "auto") return { end: this.where, alsoOther: false };
    const { local, edge } = this.#meanMs;
    if (local !== undefined && edge !== undefined) {
      const other = this.#current === "edge" ? local : edge;
      const own = this.#current === "edge" ? edge : local;
      if (other < own * MARGIN) this.#current = this.#current === "edge" ? "local" : "edge";
    } else if (local === undefined && edge === undefined) this.#current = "edge";
    else this.#current = local === undefined ? "edge" : "local";
    const worse =
      local === undefined || edge === undefined ? 1 : Math.max(local, edge) / Math.min(local, edge);
    const everyMs = Math.min(TRY_AT_LEAST_EVERY_MS, TRY_EVERY_MS * worse ** 2);
    const alsoOther = nowMs - this.#triedAtMs >= everyMs;
    if (alsoOther) this.#triedAtMs = nowMs;
    return { end: this.#current, alsoOther };
  }
}
