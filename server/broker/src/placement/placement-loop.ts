/**
 * Evaluates rooms that something happened to. What happens marks a room; marked rooms are evaluated one by one
 * in slices, each at most once per interval. The work per event does not grow with the number of rooms.
 */
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { DecisionLog } from "./decision-log.js";
import type { PlacementEngine, PlacementVerdict } from "./engine.js";
import type { MoveScheduler } from "./move-scheduler.js";
import type { PlacementEvents } from "./placement-events.js";
import { roomFacts } from "./room-facts.js";

/** Several players of a room report at about the same time; one evaluation serves all. */
const MIN_INTERVAL_MS = 250;
/** A room whose regret grows is looked at again without any event. */
const RECHECK_MS = 500;
/** A room that could not move is left alone for so long. */
const AFTER_FAILURE_MS = 5_000;
/** A room that stays is asked so often whether a full host would be better. */
const BLOCKED_MS = 5_000;
/** Evaluations in one go before other work gets its turn. */
const SLICE = 32;

export interface PlacementLoopOptions {
  engine: PlacementEngine;
  hosts: HostRegistry;
  rooms: RoomRegistry;
  scheduler: MoveScheduler;
  decisions: DecisionLog;
  clock: Clock;
  events: Emitter<PlacementEvents>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  /** False: decisions are made and shown, not carried out. */
  enabled: boolean;
}

export class PlacementLoop implements Disposable {
  readonly #options: PlacementLoopOptions;
  readonly #dirty = new Set<string>();
  /** Lately evaluated rooms, each with the timer that ends its rest. */
  readonly #resting = new Map<string, { again: boolean; cancel: () => void }>();
  /** When a room was last asked whether a full host would be better. */
  readonly #askedAtMs = new Map<string, number>();
  #scheduled: NodeJS.Immediate | undefined;
  #disposed = false;
  evaluations = 0;

  constructor(options: PlacementLoopOptions) {
    this.#options = options;
    options.events.on("room.move-failed", ({ roomId }) => this.#moveFailed(roomId));
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

  /** A host is new or back: rooms that are elsewhere may be better off there. */
  hostAdded(): void {
    for (const { roomId } of this.#options.rooms.values()) this.mark(roomId);
  }

  forget(roomId: string): void {
    this.#askedAtMs.delete(roomId);
    this.#rested(roomId);
  }

  #rested(roomId: string): void {
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
      const room = this.#options.rooms.get(roomId);
      // A host that cannot be asked just now cannot send a room either; it will be back or be lost.
      const asked = room !== undefined && this.#options.hosts.get(room.stage.hostId)?.peer !== undefined;
      if (asked && room.stage.state === "running" && this.#options.owns(roomId)) this.#evaluate(room);
    }
    if (this.#dirty.size > 0) this.#schedule();
  }

  #evaluate(room: RoomEntry): void {
    const { engine, scheduler, decisions, clock } = this.#options;
    const { roomId } = room;
    this.evaluations++;
    scheduler.consolidateSoon();
    const found = engine.evaluate(roomFacts(room), clock.now());
    const { verdict, reason, record, move } = found;
    if (mustLeave(found) || (verdict === "no-host" && this.#leaves(room))) {
      // Where to is decided for all that leave together.
      this.#rest(roomId, RECHECK_MS, true);
      scheduler.planFor(roomId);
      return;
    }
    // The full record costs as much as a hundred evaluations: it is made when there is something new to say.
    if (this.#isNews(roomId, found)) this.#options.events.emit("decision.made", { decision: record() });
    else decisions.repeated(roomId, record);
    if (move === undefined) {
      const growing =
        reason === "regret-too-small" ||
        reason === "dwell" ||
        reason === "remeasuring" ||
        reason === "awaiting-calm" ||
        verdict === "no-host";
      this.#rest(roomId, growing ? RECHECK_MS : MIN_INTERVAL_MS, growing);
      if (reason === "best" || reason === "gain-too-small") this.#askWhetherBlocked(room);
      return;
    }
    if (!this.#options.enabled) {
      this.#rest(roomId, MIN_INTERVAL_MS, false);
      return;
    }
    const admitted = scheduler.admit(roomId, room.stage.hostId, move.toHostId, move.reason);
    this.#rest(roomId, admitted ? MIN_INTERVAL_MS : RECHECK_MS, !admitted);
  }

  #isNews(roomId: string, { verdict, reason, toHostId }: PlacementVerdict): boolean {
    const before = this.#options.decisions.last(roomId);
    return verdict !== "stay" || before?.reason !== reason || before.toHostId !== toHostId;
  }

  #leaves({ stage }: RoomEntry): boolean {
    return this.#options.hosts.get(stage.hostId)?.stage.state !== "active";
  }

  #askWhetherBlocked({ roomId, ...room }: RoomEntry): void {
    const now = this.#options.clock.now();
    if (now - (this.#askedAtMs.get(roomId) ?? Number.NEGATIVE_INFINITY) < BLOCKED_MS) return;
    this.#askedAtMs.set(roomId, now);
    if (this.#options.engine.isBlocked(roomFacts({ roomId, ...room })))
      this.#options.scheduler.planFor(roomId);
  }

  #moveFailed(roomId: string): void {
    this.#rested(roomId);
    if (this.#options.rooms.get(roomId) !== undefined) this.#rest(roomId, AFTER_FAILURE_MS, true);
  }

  #rest(roomId: string, forMs: number, again: boolean): void {
    if (this.#disposed) return;
    this.#resting.get(roomId)?.cancel();
    const cancel = this.#options.clock.after(forMs, () => {
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

function mustLeave({ move }: PlacementVerdict): boolean {
  return move?.reason === "drain" || move?.reason === "evacuate";
}
