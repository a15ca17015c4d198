/**
 * All that drives a deterministic room, in order: what its clients say, its turns and its patches. It is the table of which
 * step takes which input, and says that of every other frame, too.
 */

export type StepEvent<D> =
  | { type: "frame"; sessionId: string; frame: Uint8Array }
  /** So many steps at once. */
  | { type: "turn"; steps: number }
  | { type: "patch" }
  /** What the room is at this point. */
  | { type: "digest"; number: number; digest: D };

/** A room that does what it is told to. */
export interface Driven {
  turn(steps: number): void;
  patch(): void;
  frame(sessionId: string, frame: Uint8Array): void;
}
