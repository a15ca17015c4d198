/** What a decision made of one candidate, in words. */
import type { Candidate, Decision } from "@centroid/protocol";
import { formatMs } from "../ui/format.js";

export interface Standing {
  /** The room is here, or goes here. */
  readonly chosen: boolean;
  readonly words: string;
}

const REJECTION_WORDS: Readonly<Record<string, string>> = {
  draining: "draining: takes no rooms",
  lost: "lost: does not answer",
  full: "full",
  region: "outside the allowed regions",
  carrier: "does not offer the carrier",
  "anti-affinity": "must not share a host",
  cap: "a player over the latency cap",
};

/** Why the best host is not taken although nothing speaks against it. */
const WAITING_WORDS: Readonly<Record<string, string>> = {
  "gain-too-small": "best, but hardly better",
  "regret-too-small": "best, but not yet worth a move",
  dwell: "best, but the room moved just now",
  unconfirmed: "best so far, not yet measured",
  remeasuring: "best so far, a player's network changed",
  "awaiting-calm": "best, waits for its players to pause",
  waiting: "best, waits its turn",
};

export function standingOf(candidate: Candidate, decision: Decision): Standing {
  const stays = decision.verdict === "stay";
  const homeId = stays ? decision.fromHostId : decision.toHostId;
  if (candidate.hostId === homeId) return { chosen: true, words: stays ? "stays here" : "chosen" };
  const { rejected } = candidate;
  if (rejected === undefined) return { chosen: false, words: WAITING_WORDS[decision.reason] ?? "best" };
  if (rejected !== "score") return { chosen: false, words: REJECTION_WORDS[rejected] ?? rejected };
  const home = decision.candidates.find(({ hostId }) => hostId === homeId);
  const worseMs = candidate.scoreMs - (home?.scoreMs ?? candidate.scoreMs);
  return { chosen: false, words: worseMs > 0 ? `${formatMs(worseMs)} worse` : "not the best score" };
}
