/** Judges who ran a room: one writer per epoch, one host at a time, no step back without cause, no step left out. */

import type { Effect, EventOf, HistoryEvent } from "./events.js";
import { groupBy } from "./group.js";
import type { Life, Lineage } from "./lineage.js";
import type { Violation } from "./violation.js";

/** A room may go on for so long after a trouble of its host that costs it the room: its silence has to be noticed first. */
const NOTICE_MS = 10_000;

export function judgeOwners(lineage: Lineage, events: readonly HistoryEvent[]): Violation[] {
  return [...judgeEpochs(lineage), ...judgeRollbacks(lineage, events), ...judgeTicks(lineage)];
}

function judgeEpochs(lineage: Lineage): Violation[] {
  const violations: Violation[] = [];
  const where = lineage.roomId;
  const effects = [...lineage.lives.values()].flatMap((life) => life.effects);
  const byEpoch = [...groupBy(effects, ({ epoch }) => epoch)].sort(([a], [b]) => a - b);
  for (const [epoch, inEpoch] of byEpoch) {
    const [first] = inEpoch;
    const other = inEpoch.find(({ life }) => life !== first?.life);
    if (first === undefined || other === undefined) continue;
    violations.push({
      kind: "two writers in one epoch",
      where,
      text: `${where}: in epoch ${epoch} both ${who(first)} and ${who(other)} ran the room`,
      evidence: inOrder([first, other]),
    });
  }
  for (const [epoch, inEpoch] of byEpoch) {
    const later = byEpoch.filter(([e]) => e > epoch).flatMap(([, list]) => list);
    const taken = earliest(later);
    const still = taken && inEpoch.find(({ atMs }) => atMs > taken.atMs);
    if (taken === undefined || still === undefined) continue;
    violations.push({
      kind: "two hosts at once",
      where,
      text: `${where}: ${who(still)} went on in epoch ${epoch} after ${who(taken)} had begun epoch ${taken.epoch}`,
      evidence: [taken, still],
    });
  }
  return violations;
}

/** Undoing what a room has done is for the case that its host is dead or cannot be reached. */
function judgeRollbacks(lineage: Lineage, events: readonly HistoryEvent[]): Violation[] {
  const faults = events.filter((event) => event.type === "fault");
  const counted = new Set<Effect>(lineage.effects);
  const violations: Violation[] = [];
  const { active } = lineage;
  for (const [at, life] of active.entries()) {
    const undone = life.effects.filter((effect) => !counted.has(effect));
    const successor = active
      .slice(at + 1)
      .find((next) => lineage.line.some((stretch) => stretch.life === next));
    const [first] = undone;
    // From then on it stood still. How long it took to build the room again proves nothing.
    const stoodAtMs = undone.at(-1)?.atMs ?? 0;
    const began = successor?.effects[0];
    if (first === undefined || successor?.thawed === undefined || began === undefined) continue;
    const rebuiltAtMs = successor.thawed.atMs;
    if (inTrouble(first.host, stoodAtMs, rebuiltAtMs, faults)) continue;
    // A host that had it by then, and had done nothing yet: on a busy machine, or since it was not allowed to.
    const after = undone.at(-1)?.position ?? 0;
    if (heirsOf(lineage, life, after).some(({ host, atMs }) => inTrouble(host, atMs, rebuiltAtMs, faults)))
      continue;
    violations.push({
      kind: "rolled back without cause",
      where: lineage.roomId,
      text:
        `${lineage.roomId}: ${who(first)} was well, yet ${undone.length} things that it did ` +
        `(${Math.round(stoodAtMs - first.atMs)} ms) were undone by ${who(began)}`,
      evidence: [first, successor.thawed, began],
    });
  }
  return violations;
}

/** Where a room was built that had all that it had done in this life, and was built again out of that. */
const heirsOf = (lineage: Lineage, { life }: Life, position: number): EventOf<"thawed">[] =>
  [...lineage.lives.values()].flatMap(({ life: heir, thawed }) => {
    const [first] = lineage.path(life, heir) ?? [];
    return thawed !== undefined && (first?.thawed?.from.position ?? 0) > position ? thawed : [];
  });

function inTrouble(
  host: number,
  stoodAtMs: number,
  rebuiltAtMs: number,
  faults: readonly EventOf<"fault">[],
): boolean {
  return faults.some(
    (fault) =>
      fault.hosts.includes(host) &&
      fault.atMs <= rebuiltAtMs &&
      (fault.untilMs ?? Number.POSITIVE_INFINITY) + NOTICE_MS >= stoodAtMs,
  );
}

function judgeTicks(lineage: Lineage): Violation[] {
  const violations: Violation[] = [];
  let last: EventOf<"ticked"> | undefined;
  for (const effect of lineage.effects) {
    if (effect.type !== "ticked") continue;
    if (last !== undefined && effect.tick !== last.tick + 1) {
      const path: readonly Life[] = lineage.path(last.life, effect.life) ?? [];
      violations.push({
        kind: "tick lost or repeated",
        where: lineage.roomId,
        text: `${lineage.roomId}: step ${last.tick} was followed by step ${effect.tick}`,
        evidence: [last, ...path.flatMap(({ thawed }) => thawed ?? []), effect],
      });
    }
    last = effect;
  }
  return violations;
}

const who = ({ life, host }: Effect): string => `life ${life} in process ${host}`;
const inOrder = (effects: Effect[]): Effect[] => effects.sort((a, b) => a.atMs - b.atMs);
const earliest = (effects: readonly Effect[]): Effect | undefined =>
  effects.reduce<Effect | undefined>(
    (min, e) => (min === undefined || e.atMs < min.atMs ? e : min),
    undefined,
  );
