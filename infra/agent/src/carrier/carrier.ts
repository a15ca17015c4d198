/**
 * What an edge agent can do with rooms, whatever they run in. The broker knows only this: it asks one side to
 * `migrateIn`, the other to `migrateOut`, and learns everything else from events.
 */
import type {
  AgentRequest,
  AgentResults,
  CarrierKind,
  MeasureOrder,
  Published,
  RoomCheckpoint,
  RoomEvent,
  RoomQuestion,
  RoomReport,
  WireError,
} from "@centroid/protocol";

export interface CarrierEvents {
  room: (roomId: string, epoch: number, change: RoomEvent) => void;
  /** A room as it is now, to be stored where it survives this host. */
  checkpoint: (saved: RoomCheckpoint) => void;
  /** One of its rooms publishes to rooms elsewhere. */
  published: (said: Published) => void;
  /** One of its rooms asks something of the whole deployment. @throws CentroidError */
  ask: (question: RoomQuestion) => Promise<unknown>;
  notice: (line: string) => void;
}

export interface Carrier extends AsyncDisposable {
  readonly kind: CarrierKind;
  /** Makes the first room quick; called when players have begun to look at this host. */
  warmUp(): void;
  /** @throws CentroidError */
  handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]>;
  /** The checkpoint with that number is stored. */
  checkpointed(roomId: string, epoch: number, seq: number): void;
  /** No broker keeps the checkpoint with that number. */
  unsaved(roomId: string, epoch: number, seq: number, error: WireError): void;
  /** What a player of one of its rooms is to measure next. */
  measure(order: MeasureOrder): void;
  /** This host may run its rooms for that long; afterwards they pause until the lease is renewed. */
  renewLease(forMs: number): void;
  /**
   * Saves all its rooms as they are now; resolves when that survives this host, or after so long. Only of a carrier whose
   * rooms end with the agent.
   */
  saveRooms?(withinMs: number): Promise<void>;
  /** A room elsewhere publishes to its subscribers. */
  published(said: Published): void;
  /** True if this carrier runs, receives or sends the room. */
  has(roomId: string): boolean;
  reports(): Promise<RoomReport[]>;
  /** What its rooms use beside the agent's own process: CPU time so far, memory now. */
  usage(): { cpuMicros: number; rssBytes: number };
}
