/**
 * What room authors import: hooks that carry what is not in the schema, marks of a room class, threads for heavy
 * work, players who travel to another room.
 */
import type { Work } from "./workers.js";

export {
  HOST_TRAVEL,
  type HostTravel,
  type Travelled,
  type Traveller,
  type TravelOptions,
  type TravelTarget,
  travelTo,
} from "./travel.js";
export {
  HOST_WORKERS,
  type HostWorkers,
  type Work,
  type WorkAnswer,
  type WorkDone,
  type Workers,
  type WorkersOptions,
  workersOf,
} from "./workers.js";

/** What a room author may add to carry what is not in the schema. */
export interface MoveHooks {
  /** What is to arrive with the room; called at each save, move and feed of a standby, so it is cheap and waits for nothing. */
  onFreeze?(): unknown;
  /** The same on the host where the room now is, once the state and the players are in place. */
  onThaw?(extra: unknown): void;
  /**
   * The room goes on elsewhere: close what its copy here has opened (timers, sockets, watchers). In place of onDispose(),
   * which is called once, where the room ends. What is still done to state or players here reaches nobody.
   */
  onMovedAway?(): void | Promise<void>;
}

/** What a room may say of the present moment, in a field of its own that travels with it like any other. */
export interface RoomMoment {
  /**
   * True while an interruption would hurt nobody, as between two rounds: the room moves now if it has reason to. False in
   * the middle of something, as a duel: a move that would freeze it for long waits, though not for ever. Left out, or set to
   * `undefined`: Centroid goes by how much its players send.
   */
  calm?: boolean | undefined;
}

/** What a room class may declare about itself. */
export interface RoomMarks {
  /** The room keeps a warm standby on the second-best host; its host's death costs its players a blink. */
  replicated?: boolean;
  /**
   * The same steps with the same inputs in the same order give the same room: it uses no random numbers and no time but
   * that of its steps and its clock, and does nothing outside of itself. Such a room moves without a freeze. It needs
   * `setFixedTimestep()` and `defineInput()`.
   */
  deterministic?: boolean;
  /**
   * What its heavy work is expected to cost in all, on a core of the reference machine, until that has been measured. The
   * room runs where network, queue and work together take least.
   */
  work?: Work;
  /**
   * All players count the same where the room is placed. If left out, those between whom more messages pass count more,
   * within bounds.
   */
  weights?: "equal";
}
