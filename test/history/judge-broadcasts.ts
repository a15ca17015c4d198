/**
 * Judges what players received of what the room told all of them: each step once and in order. Only what a host
 * had sent and not delivered when it died may be missing; then the player goes on where the restored room began.
 */

import type { EventOf, HistoryEvent } from "./events.js";
import { groupBy } from "./group.js";
import type { Life, Lineage } from "./lineage.js";
import type { Violation } from "./violation.js";

export function judgeBroadcasts(lineage: Lineage, events: readonly HistoryEvent[]): Violation[] {
  const hit = new Set(events.filter((event) => event.type === "fault").flatMap(({ hosts }) => hosts));
  const bySession = groupBy(
    events.filter(
      (event) => event.type === "reconnected" || (event.type === "got" && event.roomId === lineage.roomId),
    ) as (EventOf<"got"> | EventOf<"reconnected">)[],
    ({ session }) => session,
  );
  return [...bySession].flatMap(([session, list]) => judgeSession(session, list, lineage, hit));
}

function judgeSession(
  session: string,
  events: readonly (EventOf<"got"> | EventOf<"reconnected">)[],
  lineage: Lineage,
  hit: ReadonlySet<number>,
): Violation[] {
  const violations: Violation[] = [];
  let last: EventOf<"got"> | undefined;
  for (const event of events) {
    if (event.type === "reconnected") {
      last = undefined;
      continue;
    }
    const path = last && lineage.path(last.life, event.life);
    if (last !== undefined && path !== undefined) {
      const due = nextTick(last, path, lineage, hit);
      if (event.tick !== due)
        violations.push({
          kind: event.tick > due ? "broadcast lost" : "broadcast repeated",
          where: session,
          text: `${session}: after step ${last.tick} came step ${event.tick}, not ${due}`,
          evidence: [last, ...path.flatMap(({ thawed }) => thawed ?? []), event],
        });
    }
    last = event;
  }
  return violations;
}

/** The step that a player has to get after `last`, on its way along `path`. */
function nextTick(
  last: EventOf<"got">,
  path: readonly Life[],
  lineage: Lineage,
  hit: ReadonlySet<number>,
): number {
  let due = last.tick + 1;
  let previous = lineage.lives.get(last.life);
  for (const life of path) {
    const host = previous?.effects[0]?.host;
    if (host !== undefined && hit.has(host) && life.thawed !== undefined) due = life.thawed.from.tick + 1;
    previous = life;
  }
  return due;
}
