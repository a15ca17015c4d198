/**
 * What the players saw of a move, collected for a short time after the switch. Any player can say anything, so each is
 * heard once, and nobody's silence lasted longer than the move has taken so far.
 */
import { quantileOf } from "@centroid/placement";
import type { Receipt, RoomEvent } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";

/** Rooms that patch more rarely are not live. */
const MAX_PATCH_RATE_MS = 10_000;

export type FreezeReport = Extract<RoomEvent, { event: "report" }>;

export class FreezeReports {
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #bySession = new Map<string, FreezeReport>();
  #expected = Number.POSITIVE_INFINITY;
  #complete: (() => void) | undefined;

  /** @param startedAtMs when the room may have fallen silent at the earliest */
  constructor(clock: Clock, startedAtMs: number) {
    this.#clock = clock;
    this.#startedAtMs = startedAtMs;
  }

  add(report: FreezeReport): void {
    if (this.#bySession.has(report.sessionId)) return;
    // The last frame before the move came up to a patch interval earlier.
    const patchRateMs = Math.min(report.patchRateMs, MAX_PATCH_RATE_MS);
    const longestMs = Math.max(0, this.#clock.now() - this.#startedAtMs) + patchRateMs;
    this.#bySession.set(report.sessionId, {
      ...report,
      patchRateMs,
      gapMs: Math.min(report.gapMs, longestMs),
    });
    this.#check();
  }

  /** Waits until `expected` players have reported, at most `windowMs`. */
  async collect(expected: number, windowMs: number): Promise<FreezeSummary> {
    this.#expected = expected;
    if (this.#bySession.size < expected) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(windowMs, resolve);
        this.#complete = () => {
          cancel();
          resolve();
        };
      });
    }
    return summarise([...this.#bySession.values()]);
  }

  #check(): void {
    if (this.#bySession.size >= this.#expected) this.#complete?.();
  }
}

export type FreezeSummary = Pick<
  Receipt,
  "freezeMs" | "freezeBeyondTickMs" | "messagesLost" | "messagesDuplicated" | "messagesUndone"
>;

function summarise(reports: readonly FreezeReport[]): FreezeSummary {
  const sum = (of: (report: FreezeReport) => number): number => reports.reduce((all, r) => all + of(r), 0);
  const undone = sum((r) => r.undone ?? 0);
  const totals = {
    messagesLost: sum((r) => r.lost),
    messagesDuplicated: sum((r) => r.duplicated),
    ...(undone > 0 && { messagesUndone: undone }),
  };
  if (reports.length === 0) return totals;
  const freezes = quantiles(reports.map(({ gapMs }) => gapMs));
  return {
    ...totals,
    freezeMs: { clients: reports.length, ...freezes },
    freezeBeyondTickMs: quantiles(reports.map(({ gapMs, patchRateMs }) => Math.max(0, gapMs - patchRateMs))),
  };
}

function quantiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  return { p50: quantileOf(values, 0.5), p99: quantileOf(values, 0.99), max: Math.max(...values) };
}
