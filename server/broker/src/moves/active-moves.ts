/** The moves under way: what their hosts say about them, and who waits for a room to be settled. */
import { CentroidError, type MigrationView, type Receipt, type RoomReport } from "@centroid/protocol";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { MoveReport, RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { Store } from "../store/store.js";
import type { Migration } from "./migration.js";
import type { MoveEvents } from "./move-events.js";

export interface ActiveMovesOptions {
  rooms: RoomRegistry;
  events: Emitter<RoomEvents & MoveEvents>;
  store: Pick<Store, "journal">;
  logger: Logger;
}

export class ActiveMoves {
  readonly #options: ActiveMovesOptions;
  readonly #byId = new Map<string, Migration>();
  readonly #settled = new Map<string, Promise<void>>();

  constructor(options: ActiveMovesOptions) {
    this.#options = options;
    options.events.on("move.reported", ({ hostId, change }) => this.#reported(hostId, change));
    options.events.on("move.arrived", ({ hostId, report }) => this.#arrived(hostId, report));
  }

  has(migrationId: string): boolean {
    return this.#byId.has(migrationId);
  }

  views(): MigrationView[] {
    return [...this.#byId.values()].map((migration) => migration.view());
  }

  /** Resolves when the room is not moving any more, whichever way it went. */
  whenSettled(roomId: string): Promise<void> {
    return this.#settled.get(roomId) ?? Promise.resolve();
  }

  /** Carries out a move; while `run` goes on, it is listed and its hosts are heard. */
  async track(migration: Migration, run: () => Promise<Receipt>): Promise<Receipt> {
    const { migrationId, roomId } = migration.plan;
    this.#byId.set(migrationId, migration);
    let settled = (): void => undefined;
    this.#settled.set(
      roomId,
      new Promise((resolve) => {
        settled = resolve;
      }),
    );
    const done = this.#settled.get(roomId);
    migration.onSettled = () => {
      if (this.#settled.get(roomId) === done) this.#settled.delete(roomId);
      settled();
    };
    this.show(migration);
    try {
      return await run();
    } finally {
      migration.onSettled();
      this.#byId.delete(migrationId);
    }
  }

  /** Makes known which phase the move is in. */
  show(migration: Migration): void {
    this.#options.events.emit("move.progressed", { migration: migration.view() });
  }

  /** Something a host said about one of the moves under way. */
  #reported(hostId: string, change: MoveReport): void {
    const migration = this.#byId.get(change.migrationId);
    if (migration === undefined) return;
    switch (change.event) {
      case "phase":
        if (hostId !== migration.plan.fromHostId) return;
        migration.enter(change.phase, change.bytes);
        this.#journal(migration);
        this.show(migration);
        return;
      case "owned":
        if (hostId === migration.plan.toHostId && !this.#isTakenBack(migration)) migration.setOwned();
        return;
      case "report":
        if (hostId !== migration.plan.toHostId) return;
        if (this.#options.rooms.get(migration.plan.roomId)?.sessions.has(change.sessionId) === true)
          migration.reports.add(change);
        return;
      default: {
        const never: never = change;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** A host says in its hello that it runs this room: the end of a move that we did not hear of. */
  #arrived(hostId: string, { roomId, epoch, processId, address }: RoomReport): void {
    for (const migration of this.#byId.values()) {
      const { plan } = migration;
      if (plan.roomId !== roomId || plan.toHostId !== hostId || plan.toEpoch !== epoch) continue;
      if (this.#isTakenBack(migration)) continue;
      migration.destination = { processId, address };
      migration.setOwned();
    }
  }

  /** What its destination was given is over, whatever that says: it counted as lost. */
  #isTakenBack({ plan }: Migration): boolean {
    const room = this.#options.rooms.get(plan.roomId);
    return room !== undefined && room.fencedEpoch > plan.toEpoch;
  }

  #journal(migration: Migration): void {
    this.#options.store.journal(migration.journalEntry()).catch((cause: unknown) => {
      this.#options.logger.error(
        { cause, migrationId: migration.plan.migrationId },
        "phase could not be journalled",
      );
    });
  }
}
