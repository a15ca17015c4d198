/**
 * Rooms in sandboxes, one each: everything a carrier does that is the same for machines and containers. A room's
 * sandbox keeps its address wherever it goes, so players' connections survive its moves.
 */
import {
  type AgentRequest,
  type AgentResults,
  type CarrierKind,
  CentroidError,
  type MeasureOrder,
  type Published,
  type RoomReport,
  type WireError,
} from "@centroid/protocol";
import { handleMove, type RoomMoves } from "@centroid/room-host";
import type { Carrier, CarrierEvents } from "../carrier/carrier.js";
import type { RoomRecords, SandboxRecord } from "./room-records.js";
import { REPLY_TIMEOUT_MS, type SandboxRoom, type SandboxRooms } from "./sandbox-rooms.js";
import type { Sandboxes } from "./sandboxes.js";

export interface SandboxCarrierOptions {
  sandboxes: Sandboxes;
  records: RoomRecords;
  rooms: SandboxRooms;
  moves: RoomMoves;
  events: CarrierEvents;
}

/** Its first room makes an emulated machine translate most of its program. */
const FIRST_REPLY_TIMEOUT_MS = 20_000;

export class SandboxCarrier implements Carrier {
  readonly kind: CarrierKind;
  readonly #sandboxes: Sandboxes;
  readonly #records: RoomRecords;
  readonly #rooms: SandboxRooms;
  readonly #moves: RoomMoves;
  readonly #events: CarrierEvents;
  readonly #adopted: Promise<void>;

  constructor({ sandboxes, records, rooms, moves, events }: SandboxCarrierOptions) {
    this.kind = sandboxes.kind;
    this.#sandboxes = sandboxes;
    this.#records = records;
    this.#rooms = rooms;
    this.#moves = moves;
    this.#events = events;
    this.#adopted = rooms
      .adoptAll()
      .catch((cause: unknown) =>
        events.notice(`rooms of an earlier run were not looked for: ${CentroidError.from(cause).message}`),
      );
  }

  warmUp(): void {
    // What an earlier run left is not told from what is made ready now.
    this.#adopted
      .then(() => this.#sandboxes.warmUp())
      .catch((cause: unknown) => this.#events.notice(CentroidError.from(cause).message));
  }

  has(roomId: string): boolean {
    return this.#rooms.get(roomId) !== undefined;
  }

  checkpointed(roomId: string, _epoch: number, seq: number): void {
    const hosted = this.#rooms.get(roomId);
    if (hosted !== undefined && "host" in hosted.stage)
      hosted.stage.host.checkpointed(roomId, hosted.hostEpoch, seq);
  }

  unsaved(roomId: string, _epoch: number, seq: number, error: WireError): void {
    const hosted = this.#rooms.get(roomId);
    if (hosted !== undefined && "host" in hosted.stage)
      hosted.stage.host.unsaved(roomId, hosted.hostEpoch, seq, error);
  }

  measure(order: MeasureOrder): void {
    const stage = this.#rooms.get(order.roomId)?.stage;
    if (stage !== undefined && "host" in stage) stage.host.measure(order);
  }

  published(said: Published): void {
    for (const { stage } of this.#rooms.values()) if ("host" in stage) stage.host.published(said);
  }

  renewLease(forMs: number): void {
    this.#rooms.renewLease(forMs);
  }

  usage(): { cpuMicros: number; rssBytes: number } {
    const total = { cpuMicros: 0, rssBytes: 0 };
    for (const { usage } of this.#rooms.values()) {
      total.cpuMicros += usage.cpuMicros;
      total.rssBytes += this.#sandboxes.memoryBytes ?? usage.rssBytes;
    }
    return total;
  }

  async reports(): Promise<RoomReport[]> {
    await this.#adopted;
    return this.#rooms.reports();
  }

  async handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]> {
    await this.#adopted;
    return (await this.#dispatch(request)) as AgentResults[R["method"]];
  }

  async #dispatch(request: AgentRequest): Promise<unknown> {
    switch (request.method) {
      case "createRoom":
      case "restoreRoom":
        return this.#start(request);
      case "migrateIn":
      case "migrateOut":
      case "abortMigration":
      case "migrationStatus":
        return handleMove(this.#moves, request);
      case "disposeRoom":
        await this.#dispose(request.roomId, request.epoch, request.shutdown);
        return {};
      case "reserveSeat":
      case "checkReconnection": {
        const hosted = this.#rooms.require(request.roomId);
        const answer = await this.#ask(hosted, request);
        return { ...(answer as object), ...where(hosted.record) };
      }
      case "kick":
      case "setLocked":
      case "message":
      case "inspect":
      case "callRoom":
        return this.#ask(this.#rooms.require(request.roomId), request);
      case "warmUp":
        this.warmUp();
        return {};
      case "standBy":
      case "replicate":
      case "setAckPolicy":
      case "endStandby":
        throw new CentroidError(
          "CARRIER_UNAVAILABLE",
          `the carrier ${this.kind} has no standbys; use the carrier process for replicated rooms`,
        );
      default: {
        const never: never = request;
        throw new CentroidError("BAD_REQUEST", `unknown method ${JSON.stringify(never)}`);
      }
    }
  }

  #ask({ stage, record }: SandboxRoom, request: AgentRequest): Promise<unknown> {
    if (!("host" in stage))
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is on its way here`);
    return stage.host.ask({ request }, REPLY_TIMEOUT_MS);
  }

  async #start(request: Extract<AgentRequest, { method: "createRoom" | "restoreRoom" }>): Promise<unknown> {
    const { roomId, name, epoch } = request;
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.record.epoch >= epoch)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} exists here already`);
    if (present !== undefined) await this.#rooms.remove(present);
    const record = { roomId, name, epoch, processId: `${this.kind}-${roomId}`, address: "" };
    const hosted = this.#rooms.add(record, epoch, { state: "starting" });
    try {
      await this.#rooms.ended(roomId);
      record.address = await this.#sandboxes.start(roomId);
      await this.#records.write(record);
      const host = await this.#rooms.listen(hosted);
      const answer = await host.ask({ request }, FIRST_REPLY_TIMEOUT_MS);
      const { roomId: own = roomId } = answer as { roomId?: string };
      // The sandbox has its room's name, on every host that it comes to.
      if (own !== roomId)
        throw new CentroidError(
          "ROOM_ERROR",
          `"${name}" set its roomId to "${own}" in onCreate(), which the carrier ${this.kind} does not support; use the carrier process`,
        );
      return { ...(answer as object), ...where(record) };
    } catch (cause) {
      await this.#rooms.remove(hosted);
      // The broker tries another host for this, and only for this.
      const error = CentroidError.from(cause);
      if (error.code !== "INTERNAL") throw error;
      throw new CentroidError(
        "HOST_LOST",
        `no ${this.#sandboxes.noun} for room ${roomId}: ${error.message}`,
        { cause },
      );
    }
  }

  async #dispose(roomId: string, epoch: number, shutdown = false): Promise<void> {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return;
    if (epoch < hosted.record.epoch)
      throw new CentroidError(
        "STALE_EPOCH",
        `room ${roomId} is at epoch ${hosted.record.epoch}, not ${epoch}`,
      );
    const { stage } = hosted;
    // At its own epoch its players are disconnected properly; at a newer one it lives elsewhere.
    if (epoch !== hosted.record.epoch || !("host" in stage)) return this.#rooms.remove(hosted);
    const request = { method: "disposeRoom", roomId, epoch: hosted.hostEpoch, shutdown } as const;
    await stage.host.ask({ request }, REPLY_TIMEOUT_MS).catch(() => undefined);
    // Either the room has reported its end and is being removed, or it does not answer.
    if (this.#rooms.get(roomId) === hosted) await this.#rooms.remove(hosted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rooms.dispose();
    await this.#sandboxes[Symbol.asyncDispose]();
  }
}

const where = ({ processId, address }: SandboxRecord) => ({ processId, address });
