/** Ends a move of which it is not clear who has the room: both sides are asked until it is. */
import { CentroidError, type Receipt } from "@centroid/protocol";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { Migration } from "./migration.js";
import type { OrchestratorOptions } from "./migrator.js";
import type { Sides } from "./move-participants.js";

type SettlerOptions = Pick<
  OrchestratorOptions,
  "rooms" | "clock" | "times" | "onOwner" | "onView" | "onAway"
>;

/** What the orchestrator does at the end of a move, whoever found out how it went. */
export interface Ends {
  commit(migration: Migration, room: RoomEntry): void;
  close(
    migration: Migration,
    room: RoomEntry | undefined,
    outcome: Receipt["outcome"],
    cause: CentroidError | undefined,
  ): Promise<Receipt>;
  stopped(): boolean;
}

export class Settler {
  readonly #o: SettlerOptions;
  readonly #sides: Sides;
  readonly #ends: Ends;

  constructor(options: SettlerOptions, sides: Sides, ends: Ends) {
    this.#o = options;
    this.#sides = sides;
    this.#ends = ends;
  }

  /** Asks both sides until it is clear who has the room. */
  async settle(migration: Migration, room: RoomEntry, cause: CentroidError): Promise<Receipt> {
    const { migrationId, fromHostId, toHostId, toEpoch, roomId } = migration.plan;
    const { rooms, clock, times } = this.#o;
    for (;;) {
      if (this.#o.rooms.get(roomId) !== room) return this.#vanished(migration, cause);
      const settlement = migration.owned ? "commit" : await this.#sides.ask(migration.plan);
      if (this.#o.rooms.get(roomId) !== room) return this.#vanished(migration, cause);
      switch (settlement) {
        case "commit":
          this.#ends.commit(migration, room);
          this.#sides.letGo(fromHostId, roomId, toEpoch);
          return this.#ends.close(migration, room, "completed", undefined);
        case "roll-back":
        case "roll-back-fenced": {
          if (settlement === "roll-back-fenced") room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          else if (!(await this.#sides.abort(toHostId, migration.plan))) break;
          if (migration.owned || !(await this.#sides.abort(fromHostId, migration.plan))) break;
          // The destination says that it has let go; its order for this epoch is worth nothing any more.
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          rooms.apply(room, { type: "rolled-back", migrationId });
          await this.#o.onOwner(room);
          migration.enter("rolled-back", 0);
          this.#o.onView(migration.view());
          return this.#ends.close(migration, room, "rolled-back", cause);
        }
        case "roll-back-away":
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          // A machine moves on without its source's agent: while it may arrive, it is not called off.
          if (!(await this.#sides.abort(toHostId, migration.plan))) break;
          // It may have come back meanwhile; then it can be asked.
          if (migration.owned || (await this.#sides.status(fromHostId, migration.plan)) !== "lost") break;
          room.calledOff = migrationId;
          rooms.apply(room, { type: "rolled-back", migrationId });
          await this.#o.onOwner(room);
          this.#o.onAway(room, "wait");
          return this.#ends.close(migration, room, "rolled-back", cause);
        case "room-lost":
          await this.#sides.abort(toHostId, migration.plan);
          room.fencedEpoch = Math.max(room.fencedEpoch, toEpoch);
          rooms.apply(room, { type: "rolled-back", migrationId });
          this.#o.onAway(room, "dispose");
          return this.#ends.close(migration, undefined, "failed", cause);
        case "wait":
          break;
        default: {
          const never: never = settlement;
          throw new CentroidError("INTERNAL", `unknown settlement ${String(never)}`);
        }
      }
      if (this.#ends.stopped()) throw cause;
      await new Promise<void>((resolve) => clock.after(times.settleRetryMs, resolve));
      if (this.#ends.stopped()) throw cause;
    }
  }

  /** The room ended while it was unclear who had it: neither side may keep a part of it. */
  #vanished(migration: Migration, cause: CentroidError): Promise<Receipt> {
    const { fromHostId, toHostId, roomId, toEpoch } = migration.plan;
    this.#sides.letGo(fromHostId, roomId, toEpoch);
    this.#sides.letGo(toHostId, roomId, toEpoch);
    const ended = new CentroidError("ROOM_NOT_FOUND", "the room ended while it was on its way", { cause });
    return this.#ends.close(migration, undefined, "failed", ended);
  }
}
