/** Windows in shared arrays say what one array of answers each would say, whatever opens, closes and grows beside them. */
import { quantileOf } from "@centroid/placement";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ProbeWindows } from "../../placement/dist/latency/probe-windows.js";
import { WindowList } from "../../placement/dist/latency/window-list.js";

const WINDOW = 32;
const LOSS_DECAY = 0.95;

/** The same, by the plainest means. */
interface Plain {
  rttsMs: number[];
  answers: number;
  loss: number;
  lastAtMs: number;
}

const jitterOf = (rttsMs: readonly number[]): number =>
  rttsMs.length < 2
    ? 0
    : rttsMs.slice(1).reduce((sum, ms, i) => sum + Math.abs(ms - rttsMs[i]!), 0) / (rttsMs.length - 1);

const PLAYERS = 4;
const HOSTS = 5;
const step = fc.record({
  player: fc.nat(PLAYERS - 1),
  host: fc.nat(HOSTS - 1),
  what: fc.constantFrom(
    "answer",
    "answer",
    "answer",
    "answer",
    "many",
    "elsewhere",
    "lost",
    "remove",
    "keep",
    "clear",
  ),
  // Near enough that no path changes, but for some that are far off.
  rttMs: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 95, max: 105 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }) },
  ),
});

it("say what plain arrays say", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const pool = new ProbeWindows();
      const lists = Array.from({ length: PLAYERS }, () => new WindowList(pool));
      const plain = Array.from({ length: PLAYERS }, () => new Map<number, Plain>());
      let atMs = 0;
      const answer = (player: number, host: number, rttMs: number): void => {
        const list = lists[player]!;
        let window = list.of(host);
        if (window < 0) {
          window = pool.open(host, undefined);
          list.add(window);
          plain[player]!.set(host, { rttsMs: [], answers: 0, loss: 0, lastAtMs: 0 });
        }
        const known = plain[player]!.get(host)!;
        const before = known.answers;
        const changed = pool.add(window, rttMs, ++atMs);
        known.rttsMs.push(rttMs);
        known.answers = changed ? pool.answers(window) : before + 1;
        known.rttsMs = known.rttsMs.slice(changed ? -known.answers : -WINDOW);
        known.loss *= LOSS_DECAY;
        known.lastAtMs = atMs;
        if (changed) expect(known.answers).toBeGreaterThanOrEqual(3);
      };
      for (const { player, host, what, rttMs } of steps) {
        const list = lists[player]!;
        const known = plain[player]!;
        const window = list.of(host);
        if (what === "answer") answer(player, host, rttMs);
        else if (what === "many") for (let i = 0; i < 2 * WINDOW; i++) answer(player, host, rttMs + (i % 5));
        // A window that was cut short in its middle grows again.
        else if (what === "elsewhere")
          for (let i = 0; i < WINDOW / 2; i++) answer(player, host, 4 * rttMs + ((i * 7) % 5));
        else if (what === "lost" && window >= 0) {
          pool.lost(window, ++atMs);
          const one = known.get(host)!;
          one.loss = one.loss * LOSS_DECAY + (1 - LOSS_DECAY);
          one.lastAtMs = atMs;
        } else if (what === "remove") expect(list.remove(host)).toBe(known.delete(host));
        else if (what === "keep" && window >= 0) {
          list.keepOnly(window);
          for (const other of [...known.keys()]) if (other !== host) known.delete(other);
        } else if (what === "clear") {
          list.clear();
          known.clear();
        }
      }
      lists.forEach((list, player) => {
        const known = plain[player]!;
        expect(list.size).toBe(known.size);
        const samples = list.samples();
        expect([...samples.slots.subarray(0, samples.count)]).toEqual([...known.keys()]);
        for (const [host, { rttsMs, answers, loss, lastAtMs }] of known) {
          const window = list.of(host);
          expect(pool.samples(window)).toBe(rttsMs.length);
          expect(pool.answers(window)).toBe(answers);
          expect(pool.p50Ms(window)).toBe(quantileOf(rttsMs, 0.5));
          expect(pool.p95Ms(window)).toBe(quantileOf(rttsMs, 0.95));
          expect(pool.jitterMs(window)).toBe(jitterOf(rttsMs));
          expect(pool.loss(window)).toBeCloseTo(loss, 5);
          expect(pool.lastAtMs(window)).toBe(lastAtMs);
        }
      });
    }),
    { numRuns: 200 },
  );
});
