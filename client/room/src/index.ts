/** What room authors import: the hooks that carry what is not in the schema, and the marks of a room class. Types only. */

/** What a room author may add to carry what is not in the schema. */
export interface MoveHooks {
  onFreeze?(): unknown;
  onThaw?(extra: unknown): void;
}

/** What a room class may declare about itself. */
export interface RoomMarks {
  /** The room keeps a warm standby on the second-best host; its host's death costs its players a blink. */
  replicated?: boolean;
}
