/**
 * Rooms that are in each other's way: those that leave a draining or lost host, those whose best host is full, and
 * those whose host could rest. All rooms that a plan is asked for in one turn are planned together, and
 * no host and no link gets more moves in a second than it may.
 */
import { linkKey, linkMovesLeft, movesLeft, type PlannedMove } from "@centroid/placement";
import { CentroidError, type MoveReason, type Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { DecisionLog } from "./decision-log.js";
import type { PlacementEngine } from "./engine.js";
import { Evacuations } from "./evacuations.js";
import type { PlacementEvents } from "./placement-events.js";
import { roomFacts } from "./room-facts.js";

/** What a host, and the way from one host to another, bear in a second. */
const MOVES_PER_HOST = 8;
const MOVES_PER_LINK = 4;
const BUDGET_MS = 1_000;
/** A room that was moved is not moved for another's sake before this. */
const SETTLE_MS = 30_000;
/** A slot that was freed for a room is kept for it so long; one that is rescued looks for it four times a second. */
const PROMISE_MS = 10_000;
/** Hosts that empty are looked at together, and not more often. */
const CONSOLIDATE_MS = 2_000;

export interface MoveSchedulerOptions {
  engine: PlacementEngine;
  hosts: HostRegistry;
  rooms: RoomRegistry;
  clock: Clock;
  owns: (roomId: string) => boolean;
  decisions: DecisionLog;
  events: Emitter<PlacementEvents & HostEvents>;
  logger: Logger;
  move: (roomId: string, toHostId: string, reason: MoveReason) => Promise<Receipt>;
  /** False: plans are made and shown, not carried out. */
  enabled: boolean;
}

export class MoveScheduler implements Disposable {
  readonly #options: MoveSchedulerOptions;
  readonly #toPlan = new Set<string>();
  /** Moves of the last second, oldest first. */
  #spent: { atMs: number; from: string; to: string }[] = [];
  readonly #movedAtMs = new Map<string, number>();
  /** By room: the host where others make way for it. */
  readonly #promised = new Map<string, { hostId: string; untilMs: number }>();
  /** Rooms whose planned move is not over. */
  readonly #underWay = new Set<string>();
  readonly #evacuations: Evacuations;
  #scheduled: NodeJS.Immediate | undefined;
  #consolidation: (() => void) | undefined;
  #disposed = false;

  constructor(options: MoveSchedulerOptions) {
    this.#options = options;
    const plan = (roomIds: readonly string[]): void => {
      for (const roomId of roomIds) this.planFor(roomId);
    };
    this.#evacuations = new Evacuations({ ...options, plan });
  }

  /** This room needs, or would like, a host that others may be on. */
  planFor(roomId: string): void {
    if (this.#disposed || this.#underWay.has(roomId)) return;
    this.#toPlan.add(roomId);
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#plan();
    });
  }

  /** Carries out a move that a room decided on alone, out of the same budgets. @returns false if it has to wait */
  admit(roomId: string, fromHostId: string, toHostId: string, reason: MoveReason): boolean {
    if (this.#unpromised(roomId, toHostId) <= 0 || !this.#spend(roomId, fromHostId, toHostId)) return false;
    void this.#carryOut(roomId, toHostId, reason);
    return true;
  }

  #spend(roomId: string, from: string, to: string): boolean {
    const budget = this.#budget();
    const left = Math.min(movesLeft(budget, from), movesLeft(budget, to), linkMovesLeft(budget, from, to));
    if (left <= 0) return false;
    const atMs = this.#options.clock.now();
    this.#spent.push({ atMs, from, to });
    this.#movedAtMs.set(roomId, atMs);
    this.#evacuations.began(roomId, from);
    return true;
  }

  /** Free slots that are not kept for other rooms. */
  #unpromised(roomId: string, hostId: string): number {
    const { hosts, clock } = this.#options;
    const host = hosts.get(hostId);
    if (host === undefined) return 0;
    const now = clock.now();
    let free = host.facts.capacityRooms - host.roomIds.size;
    for (const [other, promise] of this.#promised) {
      if (promise.untilMs < now || host.roomIds.has(other)) this.#promised.delete(other);
      else if (promise.hostId === hostId && other !== roomId) free--;
    }
    return free;
  }

  forget(roomId: string): void {
    this.#toPlan.delete(roomId);
    this.#promised.delete(roomId);
    this.#movedAtMs.delete(roomId);
  }

  /** Rooms have ended or moved: some host may be empty enough to rest. */
  consolidateSoon(): void {
    if (this.#disposed || this.#consolidation !== undefined || !this.#options.engine.saves) return;
    this.#consolidation = this.#options.clock.after(CONSOLIDATE_MS, () => {
      this.#consolidation = undefined;
      this.#consolidate();
    });
  }

  #plan(): void {
    const { engine, rooms, clock, owns } = this.#options;
    const waitingRooms = [...this.#toPlan].flatMap((roomId) => {
      const room = rooms.get(roomId);
      return room !== undefined && owns(roomId) ? [room] : [];
    });
    this.#toPlan.clear();
    if (waitingRooms.length === 0) return;
    const { moves, waiting } = engine.plan(
      waitingRooms.map(roomFacts),
      (hostId) => this.#others(hostId),
      this.#budget(),
      clock.now(),
    );
    this.#run(moves);
    for (const roomId of waiting) {
      const room = rooms.get(roomId);
      if (room !== undefined) this.#waits(room);
    }
  }

  #consolidate(): void {
    const { engine, clock } = this.#options;
    const { moves } = engine.plan(undefined, (hostId) => this.#others(hostId), this.#budget(), clock.now());
    this.#run(moves);
    // There may be another one.
    if (moves.length > 0 && this.#options.enabled) this.consolidateSoon();
  }

  /** Rooms there that run, are this broker's to move and were not moved just now. */
  #others(hostId: string): ReturnType<typeof roomFacts>[] {
    const { hosts, rooms, clock } = this.#options;
    const now = clock.now();
    return [...(hosts.get(hostId)?.roomIds ?? [])].flatMap((roomId) => {
      const room = rooms.get(roomId);
      if (room === undefined || !this.#movable(room)) return [];
      if (now - (this.#movedAtMs.get(roomId) ?? Number.NEGATIVE_INFINITY) < SETTLE_MS) return [];
      return [roomFacts(room)];
    });
  }

  #movable({ roomId, stage }: RoomEntry): boolean {
    return (
      stage.state === "running" &&
      !this.#underWay.has(roomId) &&
      this.#options.owns(roomId) &&
      this.#options.hosts.get(stage.hostId)?.peer !== undefined
    );
  }

  /** Each as soon as those before it have freed its slot; all decisions are taken before anything moves. */
  #run(moves: readonly PlannedMove[]): void {
    const { engine, rooms, clock, events, enabled } = this.#options;
    const atMs = clock.now();
    const planned = moves.flatMap((move) => {
      const room = rooms.get(move.roomId);
      // One that runs nowhere is brought up by those who rescue it, as soon as there is a slot.
      if (room === undefined || !this.#movable(room)) return [];
      events.emit("decision.made", { decision: engine.explainMove(move, roomFacts(room), atMs) });
      return [move];
    });
    if (!enabled) return;
    const untilMs = atMs + PROMISE_MS;
    for (const { roomId, toHostId, afterRoomIds } of moves)
      if (afterRoomIds.length > 0) this.#promised.set(roomId, { hostId: toHostId, untilMs });
    const done = new Map<string, Promise<boolean>>();
    for (const move of planned) {
      const { roomId, fromHostId, toHostId } = move;
      if (fromHostId === undefined || !this.#spend(roomId, fromHostId, toHostId)) continue;
      const before = move.afterRoomIds.map((other) => done.get(other) ?? Promise.resolve(false));
      this.#underWay.add(roomId);
      done.set(
        roomId,
        this.#after(before, move).finally(() => this.#underWay.delete(roomId)),
      );
    }
  }

  async #after(
    before: readonly Promise<boolean>[],
    { roomId, toHostId, reason }: PlannedMove,
  ): Promise<boolean> {
    const freed = await Promise.all(before);
    const arrived =
      !freed.includes(false) && !this.#disposed && (await this.#carryOut(roomId, toHostId, reason));
    this.#promised.delete(roomId);
    return arrived;
  }

  /** @returns whether the room is where it should be */
  async #carryOut(roomId: string, toHostId: string, reason: MoveReason): Promise<boolean> {
    const { move, events, logger } = this.#options;
    let failure: { code: string; message: string } | undefined;
    try {
      failure = (await move(roomId, toHostId, reason)).error;
    } catch (cause) {
      failure = CentroidError.from(cause).toWire();
    }
    if (failure === undefined) {
      this.consolidateSoon();
      return true;
    }
    logger.warn({ roomId, toHostId, code: failure.code }, `room could not move: ${failure.message}`);
    events.emit("room.move-failed", { roomId });
    return false;
  }

  /** It must leave, and there is no slot or no move left for it just now. */
  #waits(room: RoomEntry): void {
    if (room.stage.state !== "running") return;
    const { engine, decisions, events, clock } = this.#options;
    if (decisions.last(room.roomId)?.reason === "waiting") return;
    events.emit("decision.made", { decision: engine.waiting(roomFacts(room), clock.now()) });
  }

  #budget(): Parameters<PlacementEngine["plan"]>[2] {
    const since = this.#options.clock.now() - BUDGET_MS;
    this.#spent = this.#spent.filter(({ atMs }) => atMs > since);
    const spentHosts: Record<string, number> = {};
    const spentLinks: Record<string, number> = {};
    const count = (of: Record<string, number>, key: string): void => {
      of[key] = (of[key] ?? 0) + 1;
    };
    for (const { from, to } of this.#spent) {
      count(spentHosts, from);
      count(spentHosts, to);
      count(spentLinks, linkKey(from, to));
    }
    const { left: leaving } = this.#evacuations;
    return {
      movesPerHost: MOVES_PER_HOST,
      movesPerLink: MOVES_PER_LINK,
      spentHosts,
      spentLinks,
      ...(leaving !== undefined && { leaving }),
    };
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearImmediate(this.#scheduled);
    this.#evacuations[Symbol.dispose]();
    this.#consolidation?.();
    this.#toPlan.clear();
  }
}
