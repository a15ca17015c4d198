/**
 * Who owns a room after a move did not end as planned. Pure: what each side said in, what to do out.
 *
 * A source that is `passive` has shipped everything and does not know whether it arrived; it waits for us, so
 * it never runs the room at the same time as the destination.
 */

/** `unreachable`: no answer just now. `lost`: its host is away, but may come back. `gone`: its host is forgotten. */
export type SideStatus = "owner" | "passive" | "none" | "unreachable" | "lost" | "gone";

export type OwnerResolution =
  /** The destination has it: make it the owner, let the source go. */
  | "commit"
  /** The source has it or may go on: call the move off on both sides. */
  | "roll-back"
  /** As above, but the destination cannot be asked: its epoch must never be believed later. */
  | "roll-back-fenced"
  /** The source waits and may go on; the destination may have it, counts as lost, and must be answered by nobody then. */
  | "take-back"
  /** The source is away with the room: call the move off at the destination and wait for the source. */
  | "roll-back-away"
  /** Neither has it. */
  | "room-lost"
  /** Cannot be known yet. */
  | "wait";

export function resolveOwner(source: SideStatus, destination: SideStatus): OwnerResolution {
  if (destination === "owner") return "commit";
  const destinationAnswered = destination === "none" || destination === "passive";
  switch (source) {
    case "owner":
      // It never shipped the rest, so the destination cannot have started.
      return destinationAnswered ? "roll-back" : "roll-back-fenced";
    case "passive":
      if (destination === "unreachable") return "wait";
      return destinationAnswered ? "roll-back" : "take-back";
    case "lost":
      return destinationAnswered || destination === "gone" ? "roll-back-away" : "wait";
    case "none":
    case "gone":
      return destinationAnswered || destination === "gone" ? "room-lost" : "wait";
    case "unreachable":
      return "wait";
    default: {
      const never: never = source;
      throw new RangeError(`unknown status ${String(never)}`);
    }
  }
}
