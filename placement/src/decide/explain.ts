/** A verdict with all that led to it: every candidate, and a line for a person. */
import type { HostTable } from "./host-table.js";
import { weightText } from "./player-weights.js";
import type { DecisionCandidate, ExplainedVerdict, PlacementParameters, RoomView, Verdict } from "./types.js";

/** Less is shown as nothing, ms. */
const LEAST_SHOWN_MS = 0.5;

/** The full record: O(hosts), for those who ask. To be made before anything else is measured. */
export function explainDecision(
  { contenders: _, ...verdict }: Verdict,
  room: RoomView,
  hosts: HostTable,
  parameters: PlacementParameters,
): ExplainedVerdict {
  const candidates = hosts.all(room, parameters);
  const [best] = candidates;
  for (const candidate of candidates.slice(1)) {
    if (candidate.rejected !== undefined || best === undefined) continue;
    candidate.rejected = candidate.capStage > best.capStage ? "cap" : "score";
  }
  const text = explainVerdict(verdict, candidates, room.playerIds.length);
  return { ...verdict, candidates, text: `${text}${weightText(room.weights, room.playerIds)}` };
}

const ms = (value: number): string => `${Math.round(value)} ms`;

/** A candidate's J and where: with what of it is work, if the room computes. */
export function atHost(candidate: DecisionCandidate): string {
  return `${ms(candidate.scoreMs)} at ${candidate.hostId}${workText(candidate)}`;
}

function workText(of: Pick<DecisionCandidate, "workMs" | "crowdingMs" | "tieMs"> | undefined): string {
  const { workMs, crowdingMs = 0, tieMs = 0 } = of ?? {};
  const parts: string[] = [];
  if (workMs !== undefined) parts.push(`${ms(workMs)} of it work`);
  if (crowdingMs >= LEAST_SHOWN_MS) parts.push(`${ms(crowdingMs)} that others there lose`);
  if (tieMs >= LEAST_SHOWN_MS) parts.push(`${ms(tieMs)} of it the way to rooms it talks with`);
  if (tieMs <= -LEAST_SHOWN_MS)
    parts.push(`${ms(-tieMs)} less since rooms it talks with gain by coming along`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** What a player waits for at worst, work included, ms. */
const worstMs = (candidate: DecisionCandidate | undefined): number =>
  (candidate?.maxMs ?? 0) + (candidate?.workMs ?? 0);

/** What of a move has to do with what its players do. */
function calmText({ freeze }: Pick<Verdict, "freeze">): string {
  if (freeze === undefined) return "";
  const { activity, waitedMs } = freeze;
  const waited = waitedMs > 0 ? `, after ${Math.round(waitedMs / 1_000)} s of waiting for them to pause` : "";
  return `${activity === 0 ? "; its players pause" : `; its players are ${Math.round(activity * 100)} % active`}${waited}`;
}

/** @param candidates at least those the verdict speaks of */
export function explainVerdict(
  decision: Omit<Verdict, "contenders">,
  candidates: readonly DecisionCandidate[],
  players: number,
): string {
  const best = candidates.find(({ hostId }) => hostId === decision.toHostId);
  const current = candidates.find(({ hostId }) => hostId === decision.fromHostId);
  const who = players === 1 ? "1 player" : `${players} players`;
  const from = current === undefined ? "" : `J ${atHost(current)}`;
  const to = best === undefined ? "" : atHost(best);
  switch (decision.reason) {
    case "placed":
      return `placed at ${best?.hostId ?? "?"}: J ${ms(best?.scoreMs ?? 0)}${workText(best)} for ${who}, the best host`;
    case "latency":
      return `${from}, ${to} for ${who}; regret ${decision.regret.toFixed(1)} has paid for the move (${decision.threshold.toFixed(1)})${calmText(decision)}`;
    case "cap":
      return `worst player ${ms(worstMs(current))} at ${current?.hostId ?? "?"}, ${ms(worstMs(best))} at ${best?.hostId ?? "?"}: a stricter cap can be kept${calmText(decision)}`;
    case "load":
      return `${current?.hostId ?? "?"} is at ${Math.round((current?.load ?? 0) * 100)} % load; ${to}${calmText(decision)}`;
    case "drain":
      return `${current?.hostId ?? "?"} is draining; ${to}`;
    case "evacuate":
      return `${current?.hostId ?? "?"} is lost; ${to}`;
    case "make-way":
      return `${from}, ${to}; makes way for a room that loses more without the slot`;
    case "consolidate":
      return `${current?.hostId ?? "?"} can rest; ${from}, ${to}`;
    case "waiting":
      return `${current?.hostId ?? "?"} takes no rooms any more; waits its turn for a slot and a move`;
    case "best":
      return `${current?.hostId ?? "?"} is best: J ${ms(current?.scoreMs ?? 0)}${workText(current)} for ${who}`;
    case "gain-too-small":
      return `${from}; ${to} would gain too little`;
    case "regret-too-small":
      return `${from}, ${to}; regret ${decision.regret.toFixed(1)} of ${decision.threshold.toFixed(1)}`;
    case "dwell":
      return `${from}, ${to}; moved a moment ago`;
    case "unconfirmed":
      return `${from}; ${to} by estimate, waiting for measurements`;
    case "remeasuring":
      return `${from}; ${to} by estimate, waiting for a player whose network changed to measure anew`;
    case "awaiting-calm": {
      const { expectedMs = 0, activity = 0, waitedMs = 0 } = decision.freeze ?? {};
      return `${from}, ${to}; the move would freeze the room for ${ms(expectedMs)} and its players are ${Math.round(activity * 100)} % active: waits for them to pause, for ${Math.round(waitedMs / 1_000)} s so far, until waiting costs more than a pause would save, at most a minute`;
    }
    case "no-players":
      return "nobody is in the room";
    case "no-host":
      return "no host may take this room";
    default: {
      const never: never = decision.reason;
      return String(never);
    }
  }
}
