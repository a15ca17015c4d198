/** Passes on what hosts say about their rooms, from a room's owner only, to whoever acts on it. */
import { CentroidError, type RoomCheckpoint, type RoomCount } from "@centroid/protocol";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { RoomEventMessage } from "../hosts/agent-server.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { Store } from "../store/store.js";
import type { Rescues, RoomReconciler } from "./reconciler.js";
import type { RoomEvents } from "./room-events.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";
import type { TrackedRooms } from "./tracked-rooms.js";

export interface RoomEventRouterOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  reconciler: RoomReconciler;
  rescues: Rescues;
  tracked: Pick<TrackedRooms, "has">;
  store: Pick<Store, "putCheckpoint">;
  events: Emitter<RoomEvents>;
  /** True if this broker decides about the room: another does not know what that one has read or called off. */
  owns: (roomId: string) => boolean;
  logger: Logger;
}

export class RoomEventRouter {
  readonly #options: RoomEventRouterOptions;

  constructor(options: RoomEventRouterOptions) {
    this.#options = options;
  }

  /** @throws CentroidError STALE_EPOCH if it is not from the room's owner, or comes too late: nothing of it is confirmed (FAIL-5) */
  async checkpoint(hostId: string, { roomId, epoch, seq, takenAtMs, data }: RoomCheckpoint): Promise<void> {
    const assertCounts = (): void => {
      const { rooms, owns, rescues } = this.#options;
      const stale = (why: string): CentroidError => new CentroidError("STALE_EPOCH", `room ${roomId} ${why}`);
      const room = rooms.get(roomId);
      if (!owns(roomId)) throw stale("is another broker's");
      if (room?.stage.hostId !== hostId || room.epoch !== epoch)
        throw stale(`is not known to be at ${hostId} at epoch ${epoch}`);
      if (rescues.hasBegunToRead(roomId)) throw stale("is being restored");
    };
    assertCounts();
    const saved = { roomId, epoch, seq, takenAtMs, data: Buffer.from(data, "base64") };
    // Where a move was called off, its destination may have run and saved for a moment (OWN-5).
    await this.#options.store.putCheckpoint(saved, this.#options.rooms.get(roomId)?.fencedEpoch);
    // A rescue may have read the one before while this one was written.
    assertCounts();
  }

  /** How many are in rooms about which this broker does not decide, as their host says. */
  count(hostId: string, counts: readonly RoomCount[]): void {
    const { rooms, tracked } = this.#options;
    for (const { roomId, epoch, players, came } of counts) {
      const room = rooms.get(roomId);
      if (room?.stage.hostId === hostId && room.epoch === epoch && !tracked.has(room))
        rooms.count(room, players, came);
    }
  }

  /** What a host says about one of its rooms. */
  route(hostId: string, { roomId, epoch, change }: RoomEventMessage): void {
    const { hosts, rooms, reconciler, rescues, tracked, events, logger } = this.#options;
    if (change.event === "standby-broken") {
      events.emit("standby.broken", { hostId, roomId, standbyId: change.standbyId });
      return;
    }
    if (change.event === "standby-orphaned") {
      events.emit("standby.orphaned", { hostId, roomId, standbyId: change.standbyId });
      return;
    }
    if (change.event === "running") {
      if (change.report.replicated === true) events.emit("room.replicated", { roomId });
      const host = hosts.get(hostId);
      const known = rooms.get(roomId);
      if (known !== undefined && isAnswer(known, epoch, rescues.awaits(roomId, epoch))) return;
      if (host !== undefined) reconciler.reported(host, change.report);
      return;
    }
    if (change.event === "phase" || change.event === "owned" || change.event === "report") {
      events.emit("move.reported", { hostId, change });
      return;
    }
    if (change.event === "left-behind") {
      events.emit("room.left-behind", { timers: change.timers, open: change.open });
      return;
    }
    const room = rooms.get(roomId);
    if (room === undefined || room.stage.state === "disposed") return;
    const fromOwner = room.stage.hostId === hostId && epoch === room.epoch;
    // The last words of the host that had it before the switch may come after the first of the new one.
    const lastWords = room.previousHostId === hostId && epoch < room.epoch;
    switch (change.event) {
      case "seated":
        if (!fromOwner || !tracked.has(room)) return;
        rooms.reconcile(room, change.sessions);
        events.emit("room.seated", { room });
        return;
      case "joined":
        // Said when this broker decided about the room; whoever does now is told of all.
        if (!tracked.has(room)) return;
        if (fromOwner || (lastWords && room.sessions.has(change.sessionId))) rooms.joined(room, change);
        return;
      case "left":
        if (fromOwner || lastWords) rooms.left(room, change.sessionId);
        return;
      case "measured": {
        const session = room.sessions.get(change.sessionId);
        if (fromOwner && session !== undefined)
          events.emit("session.measured", { room, session, said: change });
        return;
      }
      case "diverged":
        if (fromOwner) events.emit("room.diverged", { roomId });
        return;
      case "listing":
        if (fromOwner) rooms.listing(room, change);
        return;
      case "work":
        if (fromOwner) rooms.worked(room, change);
        return;
      case "activity":
        if (fromOwner) rooms.acted(room, change.activity, change.players);
        return;
      case "hears":
        if (fromOwner) events.emit("room.hears", { room, rooms: change.rooms });
        return;
      case "disposed":
        if (!fromOwner) return;
        // It has let go of it, since another host was asked to build it again.
        if (room.stage.state === "restoring" && epoch < room.fencedEpoch) return;
        rooms.apply(room, { type: "dispose" });
        events.emit("room.ended", { roomId, epoch });
        return;
      case "lost":
        if (!fromOwner) return;
        logger.error({ hostId, roomId, code: change.error.code }, `room lost: ${change.error.message}`);
        if (change.blame !== undefined) events.emit("room.crashed", { room, blame: change.blame });
        // A move under way asks both sides before anything is given up.
        if (room.stage.state !== "migrating") events.emit("room.away", { room, without: "dispose" });
        return;
      default: {
        const never: never = change;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }
}

/** True if whoever ordered it there gets the answer to that request: there is nothing new in it. */
function isAnswer({ stage, epoch: known }: RoomEntry, epoch: number, isAwaited: boolean): boolean {
  switch (stage.state) {
    case "running":
      return epoch <= known;
    case "migrating":
      return epoch <= stage.toEpoch;
    case "restoring":
      return isAwaited;
    case "creating":
    case "disposed":
      return true;
    default: {
      const never: never = stage;
      throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
    }
  }
}
