/**
 * Rooms that are over though nobody ended them: their code crashed every host, or their host was lost with all there was
 * of them. Whoever looks for one is told so, at every broker, and a host that comes back with a copy has to let go of it.
 */
import { CentroidError, forgetOldest, type Receipt, type RoomReport } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { RoomEntry } from "./room-registry.js";

/** The oldest are forgotten first. */
const MAX_REMEMBERED = 1_000;
/** Players look for a room for less. After that its id may be another room's, which ended as others do. */
const EXPLAINED_MS = 150_000;

interface EndedRoom {
  reason: CentroidError;
  atMs: number;
  /** Where it ran last, until that has let go of it. */
  processId: string | undefined;
}

export class EndedRooms {
  readonly #clock: Clock;
  readonly #byRoom = new Map<string, EndedRoom>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add({ roomId, stage }: Pick<RoomEntry, "roomId" | "stage">, reason: CentroidError): void {
    const processId = "at" in stage ? stage.at.processId : undefined;
    this.#byRoom.delete(roomId);
    this.#byRoom.set(roomId, { reason, atMs: this.#clock.now(), processId });
    forgetOldest(this.#byRoom, MAX_REMEMBERED);
  }

  /** Why there is no such room; undefined if it has ended as others do. */
  reason(roomId: string): CentroidError | undefined {
    const ended = this.#byRoom.get(roomId);
    return ended !== undefined && this.#clock.now() < ended.atMs + EXPLAINED_MS ? ended.reason : undefined;
  }

  /** True once for the copy that a lost host comes back with: it must let go. Another room may have its id then. */
  takeCopy({ roomId, processId }: RoomReport): boolean {
    const ended = this.#byRoom.get(roomId);
    if (ended?.processId === undefined || ended.processId !== processId) return false;
    ended.processId = undefined;
    return true;
  }

  /** @throws CentroidError ROOM_CRASHED | ROOM_LOST if that is how it ended */
  check(roomId: string): void {
    const reason = this.reason(roomId);
    if (reason !== undefined) throw reason;
  }
}

/** Why the room of this record has ended; undefined if the record says something else. */
export function endOf({ outcome, error }: Receipt): CentroidError | undefined {
  const isEnd = outcome === "failed" && (error?.code === "ROOM_CRASHED" || error?.code === "ROOM_LOST");
  return isEnd ? CentroidError.fromWire(error) : undefined;
}

/** The record of a room that has ended instead of being restored. */
export function endReceipt(
  { roomId, epoch, stage: { hostId } }: RoomEntry,
  { migrationId, reason, atMs }: { migrationId: string; reason: CentroidError; atMs: number },
): Receipt {
  return {
    migrationId,
    roomId,
    fromHostId: hostId,
    toHostId: hostId,
    mechanism: "restore",
    reason: "host-lost",
    outcome: "failed",
    error: reason.toWire(),
    epoch,
    startedAtMs: atMs,
    totalMs: 0,
    phases: [],
    bytes: 0,
    messagesLost: 0,
    messagesDuplicated: 0,
  };
}
