/** Moves of rooms' containers from and to this host, as the broker orders them. */
import { randomBytes } from "node:crypto";
import {
  type CarrierEvents,
  guestMac,
  REPLY_TIMEOUT_MS,
  type RoomRecords,
  type SandboxRoom,
  type SandboxRooms,
} from "@centroid/agent";
import { type AgentResults, CentroidError, type RoomReport, roomReportSchema } from "@centroid/protocol";
import type { RoomMoveRequest, RoomMoves } from "@centroid/room-host";
import { z } from "zod";
import type { Containers } from "../container/containers.js";
import { readMark, removeMark } from "../container/move-mark.js";
import { type Criu, lazyPagesProblem } from "../criu/criu.js";
import type { ContainerSandboxes } from "../rooms/container-sandboxes.js";
import { arriveFromHost } from "./arrive.js";
import { type ImageListener, type ImageWire, listenForImages } from "./image-wire.js";
import { CalledOff, type LeaveResult, leaveForHost, resume } from "./leave.js";
import { offeredPlace } from "./offer.js";
import { ContainerPredictor } from "./predict.js";

const SECRET_BYTES = 32;
/** A room host has this long to finish what it is saying to its agent. */
const HANG_UP_MS = 5_000;

export interface ContainerMovesOptions {
  readonly containers: Containers;
  readonly sandboxes: ContainerSandboxes;
  readonly rooms: SandboxRooms;
  readonly records: RoomRecords;
  readonly events: CarrierEvents;
  /** @throws CentroidError CARRIER_UNAVAILABLE */
  readonly criu: () => Promise<Criu>;
}

/** A room that is on its way here. */
interface Arrival {
  readonly roomId: string;
  readonly secret: string;
  readonly hosted: SandboxRoom;
  readonly abort: AbortController;
  /** It runs here with all its memory, or did: nobody calls it off any more, since its players may have heard of it. */
  isWhole: boolean;
  /** Settles when it is known whether it came. */
  over: Promise<unknown>;
}

export class ContainerMoves implements RoomMoves, AsyncDisposable {
  readonly #options: ContainerMovesOptions;
  readonly #predictor = new ContainerPredictor();
  readonly #arrivals = new Map<string, Arrival>();
  #listener: Promise<ImageListener> | undefined;
  #lazyPagesProblem: Promise<string | undefined> | undefined;

  constructor(options: ContainerMovesOptions) {
    this.#options = options;
  }

  async migrateIn(request: RoomMoveRequest<"migrateIn">): Promise<AgentResults["migrateIn"]> {
    const { rooms, records, containers, criu } = this.#options;
    const { roomId, migrationId, name, epoch, at } = request;
    if (at === undefined)
      throw new CentroidError(
        "BAD_REQUEST",
        "a container keeps its address; the broker must say which it has",
      );
    const noLazyPages = await this.#noLazyPages(await criu());
    const { port } = await this.#listen();
    // What is left of an earlier container would be taken for this one's.
    await rooms.ended(roomId);
    if (rooms.get(roomId) !== undefined)
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on this host already`);
    const record = { roomId, name, epoch, ...at };
    await records.write(record);
    const hosted = rooms.add(record, 0, { state: "arriving", migrationId });
    const secret = randomBytes(SECRET_BYTES).toString("hex");
    const abort = new AbortController();
    const over = Promise.resolve();
    this.#arrivals.set(migrationId, { roomId, secret, hosted, abort, isWhole: false, over });
    const { config, user } = containers;
    return {
      ...at,
      transferUrl: `tcp://${config.peerAddress}:${port}`,
      ticket: JSON.stringify({ ...offeredPlace(config, user), secret, noLazyPages }),
    };
  }

  /** Found out once. */
  #noLazyPages(criu: Criu): Promise<string | undefined> {
    this.#lazyPagesProblem ??= lazyPagesProblem(criu);
    return this.#lazyPagesProblem;
  }

  #listen(): Promise<ImageListener> {
    const { peerAddress, peerPort } = this.#options.containers.config;
    this.#listener ??= listenForImages(
      peerAddress,
      peerPort,
      (migrationId) => this.#arrivals.get(migrationId)?.secret,
      (migrationId, wire) => this.#onMove(migrationId, wire),
    ).catch((cause: unknown) => {
      this.#listener = undefined;
      throw cause;
    });
    return this.#listener;
  }

  #onMove(migrationId: string, wire: ImageWire): void {
    const arrival = this.#arrivals.get(migrationId);
    // Its images are used once: whoever comes again, with the same key, is too late.
    if (arrival?.hosted.stage.state !== "arriving") {
      wire[Symbol.dispose]();
      return;
    }
    arrival.hosted.stage = { state: "starting" };
    arrival.over = this.#arrive(migrationId, arrival, wire);
  }

  /** Never rejects. */
  async #arrive(migrationId: string, arrival: Arrival, wire: ImageWire): Promise<void> {
    const { events, rooms, containers, criu } = this.#options;
    const { roomId, hosted, abort } = arrival;
    const { signal } = abort;
    let ran = false;
    try {
      let report: RoomReport | undefined;
      const opened = await criu();
      const hasLazyPages = (await this.#noLazyPages(opened)) === undefined;
      await arriveFromHost({
        ...{ roomId, migrationId, containers, criu: opened, hasLazyPages, wire, signal },
        onRun: (isWhole) => {
          ran = true;
          arrival.isWhole = isWhole;
        },
        hasArrived: async () => {
          report = await rooms.awaitArrival(hosted);
          if (report === undefined)
            throw new CentroidError("ROOM_NOT_FOUND", "the container came without its room");
        },
      });
      if (report === undefined) throw new CentroidError("INTERNAL", "nobody asked whether the room arrived");
      signal.throwIfAborted();
      await removeMark(containers.folder(roomId));
      const { epoch } = hosted.record;
      events.room(roomId, epoch, { event: "owned", migrationId });
      events.room(roomId, epoch, { event: "running", report });
      wire.send({ type: "accepted" });
    } catch (cause) {
      const error = CentroidError.from(cause);
      const { message } = error;
      events.notice(`room ${roomId} did not arrive: ${message}`);
      // It goes on where it was: nobody hears that its connections end here.
      if (!ran) await containers.disconnect(roomId);
      await rooms.remove(hosted);
      // The broker may have taken a room that answered for one that had arrived.
      if (ran) rooms.emit(hosted, { event: "lost", error: error.toWire() });
      wire.end({ type: "refused", message, ran });
    } finally {
      this.#arrivals.delete(migrationId);
    }
  }

  async migrateOut(request: RoomMoveRequest<"migrateOut">): Promise<AgentResults["migrateOut"]> {
    const { rooms, sandboxes, containers, criu } = this.#options;
    const hosted = rooms.require(request.roomId);
    const { stage, record } = hosted;
    if (stage.state !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is being moved already`);
    const opened = await criu();
    const { host } = stage;
    const { migrationId, roomId, deadlineMs } = request;
    const abort = new AbortController();
    const leaving = leaveForHost({
      request,
      containers,
      criu: opened,
      address: record.address,
      macOf: guestMac,
      predictor: this.#predictor,
      signal: AbortSignal.any([abort.signal, AbortSignal.timeout(deadlineMs)]),
      save: () => host.ask({ saveNow: roomId }, REPLY_TIMEOUT_MS),
      report: async () => firstReport(await host.ask({ reports: true }, REPLY_TIMEOUT_MS)),
      hangUp: () => sandboxes.hangUp(roomId, HANG_UP_MS),
      onPhase: (phase, bytes) => rooms.emit(hosted, { event: "phase", migrationId, phase, bytes }),
    });
    const over = leaving.then((result) => this.#left(hosted, result));
    hosted.stage = { state: "leaving", host, migrationId, abort, over };
    const result = await over;
    if (result.owner === "destination") return result.transfer;
    throw result.error;
  }

  async #left(hosted: SandboxRoom, result: LeaveResult): Promise<LeaveResult> {
    const { rooms } = this.#options;
    if (result.owner === "destination") await rooms.forget(hosted);
    if (result.owner === "source") await this.#listenAgain(hosted);
    if (result.owner === "none") await rooms.forget(hosted);
    if (result.owner === "unknown") hosted.stage = { state: "stopped", report: result.report };
    return result;
  }

  async #listenAgain(hosted: SandboxRoom): Promise<void> {
    const { rooms, events } = this.#options;
    const { roomId } = hosted.record;
    if (rooms.get(roomId) !== hosted) return;
    if (hosted.stage.state === "leaving") hosted.stage.host[Symbol.dispose]();
    try {
      await rooms.listen(hosted);
    } catch (cause) {
      events.notice(
        `room ${roomId} does not answer after a move that failed: ${CentroidError.from(cause).message}`,
      );
      // Its line was closed already when it ended, so nobody else notices.
      await rooms.lost(hosted);
    }
  }

  /** @returns false if there is no such move here, or the room has arrived */
  async abort(roomId: string, migrationId: string): Promise<boolean> {
    const { rooms, containers } = this.#options;
    const hosted = rooms.get(roomId);
    if (hosted === undefined) return false;
    const arrival = this.#arrivals.get(migrationId);
    if (arrival !== undefined) {
      if (!arrival.isWhole) arrival.abort.abort(new CalledOff());
      if (hosted.stage.state === "arriving") {
        this.#arrivals.delete(migrationId);
        await rooms.remove(hosted);
      }
      await arrival.over;
      return rooms.get(roomId) !== hosted;
    }
    const { stage } = hosted;
    if (stage.state === "leaving" && stage.migrationId === migrationId) {
      stage.abort.abort(new CalledOff());
      await stage.over;
      // It has moved, or was lost on the way.
      if (rooms.get(roomId) !== hosted) return false;
    }
    // It was sent and nobody answered, or the agent that moved it has ended: the broker says that it never arrived.
    const mark = await readMark(containers.folder(roomId));
    if (mark?.state === "leaving" && mark.migrationId === migrationId) {
      await resume(containers, roomId);
      await this.#listenAgain(hosted);
    }
    return true;
  }

  status(roomId: string): AgentResults["migrationStatus"] {
    const status = this.#options.rooms.status(roomId);
    // One that runs, and lacks memory, may still be lost.
    const isArriving = [...this.#arrivals.values()].some((arrival) => arrival.roomId === roomId);
    return isArriving ? { ...status, role: "passive" } : status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { abort } of this.#arrivals.values()) abort.abort(new CalledOff());
    const listener = await this.#listener?.catch(() => undefined);
    await listener?.[Symbol.asyncDispose]();
  }
}

function firstReport(reports: unknown): RoomReport {
  const [report] = z.array(roomReportSchema).parse(reports);
  if (report === undefined) throw new CentroidError("ROOM_NOT_FOUND", "the container has no room");
  return report;
}
