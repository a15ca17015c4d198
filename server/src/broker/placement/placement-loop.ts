/**
 * Evaluates rooms that something happened to. What happens marks a room; marked rooms are evaluated one by one
 * in slices, each at most once per interval. The work per event does not grow with the number of rooms.
 */
import { CentroidError, type Decision, type MoveReason, type Receipt } from "@centroid/protocol";
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { HostRegistry } from "../state/host-registry.js";
import type { RoomEntry, RoomRegistry } from "../state/room-registry.js";
import type { DecisionLog } from "./decisions.js";
import type { PlacementEngine } from "./engine.js";

/** Several players of a room report at about the same time; one evaluation serves all. */
const MIN_INTERVAL_MS = 250;
/** A room whose regret grows is looked at again without any event. */
const RECHECK_MS = 500;
/** A room that could not move is left alone for so long. */
const AFTER_FAILURE_MS = 5_000;
/** Evaluations in one go before other work gets its turn. */
const SLICE = 32;

export interface PlacementLoopOptions {
  engine: PlacementEngine;
  hosts: HostRegistry;
  rooms: RoomRegistry;
  decisions: DecisionLog;
  clock: Clock;
  logger: Logger;
  onDecision: (decision: Decision) => void;
  move: (roomId: string, toHostId: string, reason: MoveReason) => Promise<Receipt>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  /** False: decisions are made and shown, not carried out. */
  enabled: boolean;
}

export class PlacementLoop implements Disposable {
  readonly #o: PlacementLoopOptions;
  readonly #dirty = new Set<string>();
  /** Lately evaluated rooms, each with the timer that ends its rest. */
  readonly #resting = new Map<string, { again: boolean; cancel: () => void }>();
  #scheduled: NodeJS.Immediate | undefined;
  #disposed = false;
  evaluations = 0;

  constructor(options: PlacementLoopOptions) {
    this.#o = options;
  }

  /** Rooms waiting for their turn. */
  get pending(): number {
    return this.#dirty.size;
  }

  /** Something happened to this room. */
  mark(roomId: string): void {
    if (this.#disposed) return;
    const resting = this.#resting.get(roomId);
    if (resting !== undefined) {
      resting.again = true;
      return;
    }
    this.#dirty.add(roomId);
    this.#schedule();
  }

  forget(roomId: string): void {
    this.#dirty.delete(roomId);
    this.#resting.get(roomId)?.cancel();
    this.#resting.delete(roomId);
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#slice();
    });
  }

  #slice(): void {
    let left = SLICE;
    for (const roomId of this.#dirty) {
      if (left-- === 0) break;
      this.#dirty.delete(roomId);
      const room = this.#o.rooms.get(roomId);
      // A host that cannot be asked just now cannot send a room either; it will be back or be lost.
      const asked = room !== undefined && this.#o.hosts.get(room.stage.hostId)?.peer !== undefined;
      if (asked && room.stage.state === "running" && this.#o.owns(roomId)) this.#evaluate(room);
    }
    if (this.#dirty.size > 0) this.#schedule();
  }

  #evaluate(room: RoomEntry): void {
    const { engine, decisions, onDecision, clock } = this.#o;
    this.evaluations++;
    const { verdict, reason, toHostId, record, move } = engine.evaluate(roomFacts(room), clock.now());
    const before = decisions.last(room.roomId);
    // The full record costs as much as a hundred evaluations: it is made when there is something new to say.
    if (verdict !== "stay" || before?.reason !== reason || before.toHostId !== toHostId) {
      const decision = record();
      decisions.add(decision);
      onDecision(decision);
    } else decisions.repeated(room.roomId, record);
    if (move === undefined || !this.#o.enabled) {
      const growing = reason === "regret-too-small" || reason === "dwell" || verdict === "no-host";
      this.#rest(room.roomId, growing ? RECHECK_MS : MIN_INTERVAL_MS, growing);
      return;
    }
    this.#rest(room.roomId, MIN_INTERVAL_MS, false);
    void this.#move(room.roomId, move.toHostId, move.reason);
  }

  async #move(roomId: string, toHostId: string, reason: MoveReason): Promise<void> {
    let failure: { code: string; message: string } | undefined;
    try {
      failure = (await this.#o.move(roomId, toHostId, reason)).error;
    } catch (cause) {
      failure = CentroidError.from(cause).toWire();
    }
    if (failure === undefined) return;
    this.#o.logger.warn({ roomId, toHostId, code: failure.code }, `room could not move: ${failure.message}`);
    this.forget(roomId);
    if (this.#o.rooms.get(roomId) !== undefined) this.#rest(roomId, AFTER_FAILURE_MS, true);
  }

  #rest(roomId: string, forMs: number, again: boolean): void {
    if (this.#disposed) return;
    this.#resting.get(roomId)?.cancel();
    const cancel = this.#o.clock.after(forMs, () => {
      const resting = this.#resting.get(roomId);
      this.#resting.delete(roomId);
      if (resting?.again === true) this.mark(roomId);
    });
    this.#resting.set(roomId, { again, cancel });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearImmediate(this.#scheduled);
    for (const { cancel } of this.#resting.values()) cancel();
    this.#resting.clear();
    this.#dirty.clear();
  }
}

export function roomFacts(room: RoomEntry): {
  roomId: string;
  name: string;
  carrier: string;
  hostId: string;
  playerIds: string[];
} {
  const playerIds = new Set<string>();
  for (const { playerId } of room.sessions.values()) if (playerId !== undefined) playerIds.add(playerId);
  return {
    roomId: room.roomId,
    name: room.name,
    carrier: room.carrier,
    hostId: room.stage.hostId,
    playerIds: [...playerIds],
  };
}
