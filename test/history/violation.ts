/** What a history can be found guilty of, with the few events that prove it. */
import type { HistoryEvent } from "./events.js";

export type ViolationKind =
  /** A message was sent and the room, as it is now, has never heard it. */
  | "message lost"
  | "message repeated"
  | "message out of order"
  /** A message that the server had confirmed was missing in the copy that the room went on from. */
  | "confirmed, not durable"
  /** A copy's state is of another instant than what else the copy has. */
  | "torn copy"
  | "broadcast lost"
  | "broadcast repeated"
  /** The room's own steps are not 1, 2, 3, ... */
  | "tick lost or repeated"
  | "two writers in one epoch"
  | "two hosts at once"
  /** A room was replaced by an older copy of itself though nothing had happened to its host. */
  | "rolled back without cause"
  | "session ended";

export interface Violation {
  readonly kind: ViolationKind;
  /** Room or session. */
  readonly where: string;
  readonly text: string;
  /** Enough to convict, in order of time: a history of these alone has the same violation. */
  readonly evidence: readonly HistoryEvent[];
}
