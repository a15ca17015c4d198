/**
 * Where rooms run one by one, apart from each other and from the agent: virtual machines, containers. A carrier
 * brings this much of its own and its `RoomMoves`; `SandboxCarrier` does the rest the same way for all.
 */
import type { CarrierKind, RoomReport } from "@centroid/protocol";
import type { LastWords } from "@centroid/room-host";

/** One JSON message a line, to and from the room host in a sandbox. */
export interface RoomHostLine extends Disposable {
  send(line: string): void;
  onMessage: ((line: string) => void) | undefined;
  onClosed: (() => void) | undefined;
}

/** A sandbox that an agent before this one has left running. */
export interface LeftSandbox {
  readonly roomId: string;
  /** It stands still in the middle of a move, and this is what it was like before. */
  readonly stoppedAs?: RoomReport;
  /** Calls off a move that nobody watches any more. @returns whether it runs here, or is still leaving */
  settle(): Promise<boolean>;
  /** On its way to another host, and cannot be called back. */
  isLeaving(): Promise<boolean>;
  isActive(): Promise<boolean>;
}

export interface Sandboxes extends AsyncDisposable {
  readonly kind: CarrierKind;
  /** What people call one: "VM". */
  readonly noun: string;
  /** Memory of one, where it takes that whatever its room uses; else the room host is asked. */
  readonly memoryBytes?: number;
  /** Makes the next start quick. @throws CentroidError */
  warmUp(): Promise<void>;
  /** Starts one with a room host in it. @returns `host:port` where players reach it */
  start(roomId: string): Promise<string>;
  /** The line to one that runs here. */
  openLine(roomId: string): Promise<RoomHostLine>;
  /** How one that is not here any more has ended; undefined if that is not known in time. */
  howEnded(roomId: string, timeoutMs: number): Promise<"migrated" | "ended" | undefined>;
  /** What one that has just ended left behind, where its line cannot carry that. */
  lastWords?(roomId: string): Promise<LastWords | undefined>;
  /** Ends one at once. Rejects if there is none. */
  destroy(roomId: string): Promise<void>;
  /** @throws CentroidError */
  left(): Promise<LeftSandbox[]>;
}
