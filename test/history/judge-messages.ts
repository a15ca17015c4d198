/** Judges what players sent: heard exactly once, in order, and never forgotten once it was confirmed. */

import type { EventOf, HistoryEvent } from "./events.js";
import { groupBy } from "./group.js";
import type { Life, Lineage } from "./lineage.js";
import type { Violation } from "./violation.js";

export function judgeMessages(lineage: Lineage, events: readonly HistoryEvent[]): Violation[] {
  const settled = events.find((event) => event.type === "settled");
  const heard = groupBy(
    lineage.effects.filter((effect) => effect.type === "heard"),
    ({ session }) => session,
  );
  const sent = groupBy(
    events.filter((event) => event.type === "sent" && event.roomId === lineage.roomId) as EventOf<"sent">[],
    ({ session }) => session,
  );
  const sessions = new Set([...sent.keys(), ...heard.keys()]);
  return [
    ...[...sessions].flatMap((session) => {
      const heardHere = heard.get(session) ?? [];
      return [
        ...judgeOrder(session, heardHere, lineage),
        ...judgeLosses(session, sent.get(session) ?? [], heardHere, settled),
      ];
    }),
    ...judgeCopies(lineage, sessions, events),
  ];
}

function judgeOrder(session: string, heard: readonly EventOf<"heard">[], lineage: Lineage): Violation[] {
  const violations: Violation[] = [];
  const first = new Map<number, EventOf<"heard">>();
  let highest: EventOf<"heard"> | undefined;
  for (const event of heard) {
    const before = first.get(event.number);
    if (before !== undefined)
      violations.push({
        kind: "message repeated",
        where: session,
        text: `${session}: ${event.number} was heard twice`,
        evidence: [before, ...births(lineage, before, event), event],
      });
    else if (highest !== undefined && event.number < highest.number)
      violations.push({
        kind: "message out of order",
        where: session,
        text: `${session}: ${event.number} was heard after ${highest.number}`,
        evidence: [highest, ...births(lineage, highest, event), event],
      });
    if (before === undefined) first.set(event.number, event);
    if (highest === undefined || event.number > highest.number) highest = event;
  }
  return violations;
}

/** What was sent last may be on its way until the history has settled; what is older than something heard is not. */
function judgeLosses(
  session: string,
  sent: readonly EventOf<"sent">[],
  heard: readonly EventOf<"heard">[],
  settled: HistoryEvent | undefined,
): Violation[] {
  const known = new Set(heard.map(({ number }) => number));
  const ascending = [...heard].sort((a, b) => a.number - b.number);
  const violations: Violation[] = [];
  let run: EventOf<"sent">[] = [];
  const close = (): void => {
    const [from] = run;
    const to = run.at(-1);
    run = [];
    if (from === undefined || to === undefined) return;
    const proof = ascending.find(({ number }) => number > to.number) ?? settled;
    if (proof === undefined) return;
    const numbers = from === to ? `${from.number}` : `${from.number}-${to.number}`;
    violations.push({
      kind: "message lost",
      where: session,
      text: `${session}: ${numbers} sent, never heard by the room as it is now`,
      evidence: [from, proof],
    });
  };
  for (const event of sent.toSorted((a, b) => a.number - b.number)) {
    if (known.has(event.number)) close();
    else run.push(event);
  }
  close();
  return violations;
}

/** Each copy that the room went on from: has it what was confirmed, and is it of one piece? */
function judgeCopies(
  lineage: Lineage,
  sessions: ReadonlySet<string>,
  events: readonly HistoryEvent[],
): Violation[] {
  const violations: Violation[] = [];
  const acknowledged = groupBy(
    events.filter((event) => event.type === "acknowledged"),
    ({ session }) => session,
  );
  const inherited = new Map<string, EventOf<"heard">>();
  for (const { life, endsAt } of lineage.line) {
    const { thawed } = life;
    const sign = life.effects[0];
    if (thawed !== undefined && sign !== undefined) {
      for (const session of new Set([...sessions, ...acknowledged.keys()])) {
        const last = thawed.last[session] ?? 0;
        const promise = (acknowledged.get(session) ?? [])
          .filter(({ atMs }) => atMs < thawed.atMs)
          .reduce<EventOf<"acknowledged"> | undefined>(
            (max, a) => (a.number > (max?.number ?? 0) ? a : max),
            undefined,
          );
        // Whoever is not in the copy may have left before.
        const later = thawed.last[session] !== undefined ? [] : signsOf(session, thawed, events).slice(0, 1);
        const present = thawed.last[session] !== undefined || later.length > 0;
        if (promise !== undefined && promise.number > last && present)
          violations.push({
            kind: "confirmed, not durable",
            where: session,
            text: `${session}: confirmed up to ${promise.number}, but the room went on from a copy with ${last}`,
            evidence: [...new Set([promise, thawed, sign, ...later])],
          });
        const logged = inherited.get(session);
        if (logged !== undefined && logged.number > last && last > 0)
          violations.push({
            kind: "torn copy",
            where: session,
            text: `${session}: the copy was made after ${logged.number} was heard, its state has ${last}`,
            evidence: [logged, thawed, sign],
          });
      }
    }
    for (const effect of life.effects)
      if (effect.type === "heard" && effect.position < endsAt) inherited.set(effect.session, effect);
  }
  return violations;
}

/** What a player does in the room after it began this life. */
function signsOf(
  session: string,
  thawed: EventOf<"thawed">,
  events: readonly HistoryEvent[],
): HistoryEvent[] {
  const { roomId, atMs } = thawed;
  return events.filter(
    (event) =>
      event.type === "sent" && event.session === session && event.roomId === roomId && event.atMs > atMs,
  );
}

/** What ties the life of one event to that of a later one. */
function births(lineage: Lineage, from: EventOf<"heard">, to: EventOf<"heard">): HistoryEvent[] {
  const path: readonly Life[] = lineage.path(from.life, to.life) ?? [];
  return path.flatMap(({ thawed }) => thawed ?? []);
}
