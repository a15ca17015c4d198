/** Ends a move of which it is not clear who has the room: both sides are asked until it is. */
import { CentroidError, type Receipt } from "@centroid/protocol";
import { highestEpoch, type RoomEntry } from "../rooms/room-registry.js";
import type { Migration } from "./migration.js";
import type { MigratorOptions } from "./migrator.js";
import type { MoveParticipants } from "./move-participants.js";

type MoveResolverOptions = Pick<
  MigratorOptions,
  "rooms" | "records" | "events" | "store" | "giveAways" | "clock" | "times" | "logger"
>;

/** What the migrator does at the end of a move, whoever found out how it went. */
export interface MoveOutcome {
  commit(migration: Migration, room: RoomEntry): void;
  close(
    migration: Migration,
    room: RoomEntry | undefined,
    outcome: Receipt["outcome"],
    cause: CentroidError | undefined,
  ): Promise<Receipt>;
  stopped(): boolean;
}

export class MoveResolver {
  readonly #options: MoveResolverOptions;
  readonly #participants: MoveParticipants;
  readonly #ends: MoveOutcome;

  constructor(options: MoveResolverOptions, participants: MoveParticipants, ends: MoveOutcome) {
    this.#options = options;
    this.#participants = participants;
    this.#ends = ends;
  }

  /** Asks both sides until it is clear who has the room. */
  async settle(migration: Migration, room: RoomEntry, cause: CentroidError): Promise<Receipt> {
    const { migrationId, fromHostId, toHostId, toEpoch, roomId } = migration.plan;
    const { rooms, records, events, clock, times } = this.#options;
    const isMoving = (): boolean =>
      room.stage.state === "migrating" && room.stage.migrationId === migrationId;
    const isOver = (): boolean => rooms.get(roomId) !== room || !(migration.owned || isMoving());
    for (;;) {
      if (isOver()) return this.#overtaken(migration, room, cause);
      const resolution = migration.owned ? "commit" : await this.#participants.ask(migration.plan);
      if (isOver()) return this.#overtaken(migration, room, cause);
      switch (resolution) {
        case "commit":
          this.#ends.commit(migration, room);
          this.#participants.letGo(fromHostId, roomId, toEpoch);
          return this.#ends.close(migration, room, "completed", undefined);
        case "take-back":
        case "roll-back":
        case "roll-back-fenced": {
          if (resolution === "take-back" && !(await this.#takeBack(migration, room, isMoving))) break;
          if (isOver()) return this.#overtaken(migration, room, cause);
          if (resolution !== "roll-back") room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          else if (!(await this.#participants.abort(toHostId, migration.plan))) break;
          if (migration.owned || !(await this.#participants.abort(fromHostId, migration.plan))) break;
          if (!isMoving()) break;
          // The destination says that it has let go; its order for this epoch is worth nothing any more.
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          rooms.apply(room, { type: "rolled-back", migrationId });
          await records.putWhenPossible(room);
          migration.enter("rolled-back", 0);
          events.emit("move.progressed", { migration: migration.view() });
          return this.#ends.close(migration, room, "rolled-back", cause);
        }
        case "roll-back-away":
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          // A machine moves on without its source's agent: while it may arrive, it is not called off.
          if (!(await this.#participants.abort(toHostId, migration.plan))) break;
          // It may have come back meanwhile; then it can be asked.
          if (migration.owned || (await this.#participants.status(fromHostId, migration.plan)) !== "lost")
            break;
          if (!isMoving()) break;
          room.calledOff = migrationId;
          rooms.apply(room, { type: "rolled-back", migrationId });
          await records.putWhenPossible(room);
          events.emit("room.away", { room, without: "wait" });
          return this.#ends.close(migration, room, "rolled-back", cause);
        case "room-lost":
          await this.#participants.abort(toHostId, migration.plan);
          if (!isMoving()) break;
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          rooms.apply(room, { type: "rolled-back", migrationId });
          events.emit("room.away", { room, without: "dispose" });
          return this.#ends.close(migration, undefined, "failed", cause);
        case "wait":
          break;
        default: {
          const never: never = resolution;
          throw new CentroidError("INTERNAL", `unknown resolution ${String(never)}`);
        }
      }
      if (this.#ends.stopped()) throw cause;
      await new Promise<void>((resolve) => clock.after(times.settleRetryMs, resolve));
      if (this.#ends.stopped()) throw cause;
    }
  }

  /**
   * The destination of a room that waits at its source counts as lost: that the epoch which it was offered is over goes on
   * record, and then every other broker is asked whether it answers it after all (OWN-12).
   * @returns false if that could not be put on record, or the destination has been heard of since
   */
  async #takeBack(migration: Migration, room: RoomEntry, isMoving: () => boolean): Promise<boolean> {
    const { store, records, giveAways } = this.#options;
    const { roomId, toHostId, toEpoch } = migration.plan;
    const goesOn = (): boolean => isMoving() && !this.#ends.stopped();
    try {
      const epoch = await store.nextEpoch(roomId, Math.max(highestEpoch(room), toEpoch));
      const status = await this.#participants.status(toHostId, migration.plan);
      if (migration.owned || !goesOn() || (status !== "lost" && status !== "gone")) return false;
      // From here on a destination that comes back has to let go, and what it says is not believed.
      room.fencedEpoch = Math.max(room.fencedEpoch, epoch);
      await records.put(room);
      await giveAways.withdraw(toHostId, { roomId, epoch }, goesOn);
      return goesOn();
    } catch (cause) {
      this.#options.logger.warn({ roomId, cause }, "a room could not be taken back yet");
      return false;
    }
  }

  /**
   * While it was unclear who had it the room ended, or another broker ended the move and the room went on from there:
   * neither side may keep a part of it.
   */
  #overtaken(migration: Migration, room: RoomEntry, cause: CentroidError): Promise<Receipt> {
    const { fromHostId, toHostId, roomId, toEpoch } = migration.plan;
    const now = this.#options.rooms.get(roomId);
    this.#participants.letGo(fromHostId, roomId, toEpoch);
    // Told so, its owner would end the room.
    if (now?.stage.hostId !== toHostId || now.epoch !== toEpoch)
      this.#participants.letGo(toHostId, roomId, toEpoch);
    if (this.#options.rooms.get(roomId) !== room) {
      const ended = new CentroidError("ROOM_NOT_FOUND", "the room ended while it was on its way", { cause });
      return this.#ends.close(migration, undefined, "failed", ended);
    }
    const over = new CentroidError("STALE_EPOCH", "another broker ended this move", { cause });
    return this.#ends.close(migration, room, "failed", over);
  }
}
