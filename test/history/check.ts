/**
 * The judge of histories: whether every message was heard exactly once and in order, each room had one writer at a
 * time, and what was confirmed was durable. Losses and repetitions are found one by one, so they cannot cancel out.
 * Pure: the same events always give the same verdict.
 */
import type { HistoryEvent } from "./events.js";
import { judgeBroadcasts } from "./judge-broadcasts.js";
import { judgeMessages } from "./judge-messages.js";
import { judgeOwners } from "./judge-owners.js";
import { Lineage } from "./lineage.js";
import type { Violation } from "./violation.js";

/** @param events in any order */
export function checkHistory(events: readonly HistoryEvent[]): Violation[] {
  const ordered = events.toSorted((a, b) => a.atMs - b.atMs);
  const roomIds = new Set(ordered.flatMap((event) => ("roomId" in event ? [event.roomId] : [])));
  const lineages = [...roomIds].map((roomId) => new Lineage(roomId, ordered));
  return [
    ...lineages.flatMap((lineage) => [
      ...judgeMessages(lineage, ordered),
      ...judgeOwners(lineage, ordered),
      ...judgeBroadcasts(lineage, ordered),
    ]),
    ...ordered
      .filter((event) => event.type === "ended")
      .map(
        (event): Violation => ({
          kind: "session ended",
          where: event.session,
          text: `${event.session}: ended with ${event.code} though its player had not left`,
          evidence: [event],
        }),
      ),
  ];
}
