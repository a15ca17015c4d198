/** The rooms of one process: which are here, what they report, how they are saved. */
import {
  CentroidError,
  type ClientControl,
  type MeasureOrder,
  type RateLimit,
  type RoomEvent,
  type RoomReport,
  TokenBucket,
} from "@centroid/protocol";
import type { Client } from "@colyseus/core";
import { Acknowledgements } from "../checkpoint/acknowledgements.js";
import { Checkpointer, type SavedRoom } from "../checkpoint/checkpointer.js";
import { listing } from "../colyseus/listing.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import { isReplicated, type MovableRoom } from "../colyseus/movable-room.js";
import { StateComparison } from "../compare/state-comparison.js";
import { HeardRooms } from "./heard-rooms.js";
import { type Hosted, type Protection, runningRoom, type Seat, seated, seatedAs } from "./hosted.js";
import type { Pauses } from "./pauses.js";
import { PlayerActivity } from "./player-activity.js";

/** Reports of one player: several times what the SDK sends when it is told to hurry. */
const REPORTS: RateLimit = { perSecond: 10, burst: 50 };
/** A player that the broker asks to measure again sooner than this is new, or its way has changed: its room may have to move. */
const ROUTINE_INTERVAL_MS = 2_500;

export interface HostedRoomsOptions {
  processId: string;
  /** `host:port` players use. */
  address: string;
  /** @param isRoutine nothing that anybody waits for has changed */
  emit: (roomId: string, epoch: number, change: RoomEvent, isRoutine?: boolean) => void;
  /** Where rooms are saved while they run; nowhere if not given. */
  checkpoints?: {
    intervalMs: number;
    save: (roomId: string, epoch: number, saved: SavedRoom, withinMs: number) => void;
  };
  /** How often players' copies of a state are compared with the room's; 0 is never. */
  compareIntervalMs: number;
  notice: (line: string) => void;
  /** False while this host's lease is over: another may have its rooms. */
  mayRun: () => boolean;
  now: () => number;
}

export class HostedRooms {
  readonly #options: HostedRoomsOptions;
  readonly #pauses: Pauses;
  /** A room runs here from now on. */
  readonly #onAdopted: (roomId: string) => void;
  readonly #rooms = new Map<string, Hosted>();
  /** Rooms that are gone for everybody else while their `onDispose` runs. */
  readonly #disposing = new Set<Promise<void>>();
  readonly #savedSinceMs: number;
  /** Players of whom nothing new was measured lately. */
  readonly #settled = new WeakSet<MovableClient>();

  constructor(options: HostedRoomsOptions, pauses: Pauses, onAdopted: (roomId: string) => void) {
    this.#options = options;
    this.#savedSinceMs = options.now();
    this.#pauses = pauses;
    this.#onAdopted = onAdopted;
  }

  /** Where players and other hosts reach this process. */
  get where(): { processId: string; address: string } {
    return { processId: this.#options.processId, address: this.#options.address };
  }

  get(roomId: string): Hosted | undefined {
    return this.#rooms.get(roomId);
  }

  /** @throws CentroidError ROOM_NOT_FOUND */
  require(roomId: string): Hosted {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
    return hosted;
  }

  /** @throws CentroidError ROOM_NOT_FOUND | ROOM_MOVING */
  running(roomId: string): { hosted: Hosted; room: MovableRoom } {
    const hosted = this.require(roomId);
    return { hosted, room: runningRoom(roomId, hosted) };
  }

  values(): IterableIterator<Hosted> {
    return this.#rooms.values();
  }

  set(roomId: string, hosted: Hosted): void {
    this.#rooms.set(roomId, hosted);
  }

  /** Forgets the room unless another of its lives has taken the place. */
  remove(roomId: string, hosted: Hosted): void {
    if (this.#rooms.get(roomId) === hosted) this.#rooms.delete(roomId);
  }

  /** Resolves when no room is inside its `onDispose` any more. */
  async disposals(): Promise<void> {
    await Promise.all(this.#disposing);
  }

  reports(): RoomReport[] {
    return [...this.#rooms].map(([roomId, hosted]) => this.#report(roomId, hosted));
  }

  /** The room runs here: its events are reported, its state is saved. */
  adopt(roomId: string, room: MovableRoom, hosted: Hosted): void {
    this.#rooms.set(roomId, hosted);
    this.#onAdopted(roomId);
    const { mayRun, notice } = this.#options;
    const playerOf = (sessionId: string): Seat | undefined => hosted.seats.get(sessionId);
    const tell = (change: RoomEvent, isRoutine?: boolean): void =>
      this.#options.emit(roomId, hosted.epoch, change, isRoutine);
    room.move.adopted({
      epoch: hosted.epoch,
      mayRun,
      playerOf,
      notice,
      leftBehind: ({ timers, open }) => tell({ event: "left-behind", timers, open: open.length }),
    });
    const { events } = room.move;
    events.on("join", (client: Client) => {
      tell({ event: "joined", ...seatedAs(client.sessionId, hosted.seats.get(client.sessionId)) });
      hosted.protection?.checkpointer.soon();
    });
    events.on("leave", (client: Client) => {
      hosted.seats.delete(client.sessionId);
      tell({ event: "left", sessionId: client.sessionId });
      // Or the host's death would bring back somebody who has left.
      hosted.protection?.checkpointer.soon();
    });
    hosted.protection = this.#protect(roomId, room, hosted);
    const { compareIntervalMs, now } = this.#options;
    if (compareIntervalMs > 0)
      hosted.comparison = new StateComparison({
        room,
        intervalMs: compareIntervalMs,
        now,
        notice,
        onDiverged: (sessionId) => tell({ event: "diverged", sessionId }),
      });
    hosted.activity = new PlayerActivity(room, (activity, players, isRoutine) =>
      tell({ event: "activity", activity, ...(players !== undefined && { players }) }, isRoutine),
    );
    hosted.hears = new HeardRooms(
      () => room.move.heard.takeCounts(),
      (rooms) => tell({ event: "hears", rooms }),
    );
    tell({ event: "running", report: this.#report(roomId, hosted) });
    const changed = (): void => tell({ event: "listing", ...listing(room) });
    room.move.work.onReport = (work) => tell({ event: "work", ...work });
    for (const name of ["lock", "unlock", "visibility-change", "metadata-change"]) events.on(name, changed);
    events.once("dispose", () => {
      const disposing = new Promise<void>((resolve) => events.once("disconnect", resolve));
      this.#disposing.add(disposing);
      void disposing.then(() => this.#disposing.delete(disposing));
      hosted.protection?.[Symbol.dispose]();
      hosted.comparison?.[Symbol.dispose]();
      hosted.activity?.[Symbol.dispose]();
      hosted.hears?.[Symbol.dispose]();
      this.#pauses.forget(room);
      if (hosted.stage.name === "leaving") {
        if (hosted.stage.source.state === "released") return;
        // The last player left while the room was copied: there is nothing to move.
        hosted.stage.abort.abort();
      }
      this.remove(roomId, hosted);
      tell({ event: "disposed" });
    });
  }

  /** What a player's SDK reports of its session goes to the broker. */
  listen(roomId: string, hosted: Hosted, client: MovableClient): void {
    const { link, sessionId } = client;
    const { emit } = this.#options;
    link.beforeFrame = () => void this.#options.mayRun();
    if (hosted.protection !== undefined) link.acknowledge = "checkpoint";
    const reports = new TokenBucket(REPORTS, this.#options.now());
    link.on("control", (message: ClientControl) => {
      if (message.type === "diverged") hosted.comparison?.diverged(client, message);
      else if (message.type === "measured") {
        const { type: _, ...said } = message;
        if (reports.take(this.#options.now()))
          emit(roomId, hosted.epoch, { event: "measured", sessionId, ...said }, this.#settled.has(client));
      } else if (message.type === "report") {
        const { type: _, ...report } = message;
        emit(roomId, hosted.epoch, { event: "report", sessionId, ...report });
      }
    });
  }

  /** The broker says what a player is to measure next; one that has left meanwhile need not know. */
  measure({ roomId, sessionId, next, intervalMs }: MeasureOrder): void {
    const stage = this.#rooms.get(roomId)?.stage;
    if (stage === undefined || stage.name === "arriving") return;
    const client = stage.room.clients.get(sessionId) as unknown as MovableClient | undefined;
    if (client === undefined) return;
    if (intervalMs > ROUTINE_INTERVAL_MS) this.#settled.add(client);
    else this.#settled.delete(client);
    client.link.control({ type: "measure", next, intervalMs });
  }

  #report(roomId: string, hosted: Hosted): RoomReport {
    const { name, epoch, stage } = hosted;
    const activity = hosted.activity?.report;
    const work = stage.name === "arriving" ? undefined : stage.room.move.work.report;
    return {
      roomId,
      name,
      carrier: "process",
      epoch,
      ...this.where,
      passive: stage.name === "arriving",
      ...(stage.name === "arriving" ? { locked: false } : listing(stage.room)),
      ...(hosted.protection !== undefined &&
        stage.name !== "arriving" &&
        isReplicated(stage.room) && { replicated: true }),
      sessions: seated(hosted),
      ...(work !== undefined && { work }),
      ...(activity !== undefined && { activity }),
    };
  }

  #protect(roomId: string, room: MovableRoom, hosted: Hosted): Protection | undefined {
    const { checkpoints, notice, now } = this.#options;
    if (checkpoints === undefined) return undefined;
    const acknowledgements = new Acknowledgements(room);
    const checkpointer = new Checkpointer({
      room,
      acknowledgements,
      options: hosted.options,
      intervalMs: checkpoints.intervalMs,
      sinceMs: this.#savedSinceMs,
      now,
      paused: () => hosted.stage.name !== "running",
      save: (saved, withinMs) => checkpoints.save(roomId, hosted.epoch, saved, withinMs),
      onUnprotected: ({ message }) =>
        notice(`room ${roomId} cannot be saved and would be lost with this host: ${message}`),
    });
    return {
      acknowledgements,
      checkpointer,
      replicator: undefined,
      [Symbol.dispose]() {
        checkpointer[Symbol.dispose]();
        this.replicator?.[Symbol.dispose]();
      },
    };
  }
}
