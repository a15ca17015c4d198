/** Moves of rooms' machines from and to this host, as the broker orders them. */

import {
  type CarrierEvents,
  REPLY_TIMEOUT_MS,
  type RoomRecords,
  roomIdOf,
  type SandboxRoom,
  type SandboxRooms,
  sandboxNameOf,
} from "@centroid/agent";
import { type AgentResults, CentroidError } from "@centroid/protocol";
import type { RoomMoveRequest, RoomMoves } from "@centroid/room-host";
import type { VmConfig } from "../base/config.js";
import type { LocalLibvirt } from "../host/local-libvirt.js";
import { keepPredictor, type MigrationPredictor, readPredictor } from "./learned-costs.js";
import { moveRoomVm } from "./move-room-vm.js";
import { offerOf } from "./peer-offer.js";

export interface VmMovesOptions {
  readonly hostId: string;
  readonly vm: VmConfig;
  readonly events: CarrierEvents;
  readonly rooms: SandboxRooms;
  readonly records: RoomRecords;
  readonly libvirt: LocalLibvirt;
}

export class VmMoves implements RoomMoves {
  readonly #options: VmMovesOptions;
  readonly #predictor: Promise<MigrationPredictor>;

  constructor(options: VmMovesOptions) {
    this.#options = options;
    this.#predictor = readPredictor(options.vm.localGuestDirectory);
  }

  async migrateIn(request: RoomMoveRequest<"migrateIn">): Promise<AgentResults["migrateIn"]> {
    const { rooms, records, libvirt, vm } = this.#options;
    const { roomId, migrationId, name, epoch, at } = request;
    if (at === undefined)
      throw new CentroidError("BAD_REQUEST", "a VM keeps its address; the broker must say which it has");
    const present = rooms.get(roomId);
    if (present !== undefined && present.stage.state !== "arriving")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on this host already`);
    await libvirt.open();
    const record = { roomId, name, epoch, ...at };
    await records.write(record);
    rooms.add(record, 0, { state: "arriving", migrationId });
    return { ...at, transferUrl: `tcp://${vm.peerAddress}`, ticket: await offerOf(vm) };
  }

  /** A VM begins to run here: of a room that is on its way, it has arrived. */
  resumed(domainName: string): void {
    const hosted = this.#options.rooms.get(roomIdOf(domainName) ?? "");
    if (hosted?.stage.state !== "arriving") return;
    const { migrationId } = hosted.stage;
    hosted.stage = { state: "starting" };
    void this.#arrived(hosted, migrationId);
  }

  /** It runs here: once it has answered it is ours. */
  async #arrived(hosted: SandboxRoom, migrationId: string): Promise<void> {
    const { events, rooms } = this.#options;
    const { roomId, epoch } = hosted.record;
    try {
      const report = await rooms.awaitArrival(hosted);
      if (report === undefined) throw new CentroidError("ROOM_NOT_FOUND", "the VM came without its room");
      events.room(roomId, epoch, { event: "owned", migrationId });
      events.room(roomId, epoch, { event: "running", report });
    } catch (cause) {
      events.notice(`room ${roomId} does not answer after its move: ${CentroidError.from(cause).message}`);
      await rooms.remove(hosted);
    }
  }

  async migrateOut(request: RoomMoveRequest<"migrateOut">): Promise<AgentResults["migrateOut"]> {
    const { rooms, hostId, vm, libvirt } = this.#options;
    const predictor = await this.#predictor;
    const { connection } = await libvirt.open();
    const hosted = rooms.require(request.roomId);
    const { stage, record } = hosted;
    if (stage.state !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is being moved already`);
    const { host } = stage;
    const { migrationId } = request;
    const abort = new AbortController();
    const move = moveRoomVm({
      request,
      hostId,
      vm,
      address: record.address,
      connection,
      predictor,
      signal: abort.signal,
      save: () => host.ask({ saveNow: record.roomId }, REPLY_TIMEOUT_MS),
      onPhase: (phase, bytes) => rooms.emit(hosted, { event: "phase", migrationId, phase, bytes }),
    });
    hosted.stage = { state: "leaving", host, migrationId, abort, over: move.catch(() => undefined) };
    const { owner, transfer, error } = await move.catch((cause: unknown) => {
      // It did not begin.
      hosted.stage = { state: "running", host };
      throw cause;
    });
    await keepPredictor(vm.localGuestDirectory, predictor);
    if (owner === "source") {
      hosted.stage = { state: "running", host };
      throw error;
    }
    await rooms.forget(hosted);
    if (error !== undefined) throw error;
    return transfer;
  }

  /** @returns false if there is no such move here, or its source decides */
  async abort(roomId: string, migrationId: string): Promise<boolean> {
    const { rooms, libvirt } = this.#options;
    const hosted = rooms.get(roomId);
    const stage = hosted?.stage;
    if (hosted === undefined || stage === undefined) return false;
    if (stage.state === "leaving" && stage.migrationId === migrationId) {
      stage.abort.abort(new CentroidError("MIGRATION_FAILED", "the move was called off"));
      await stage.over;
      return true;
    }
    if (stage.state !== "arriving" || stage.migrationId !== migrationId) return false;
    // While there is something of it here, its source decides.
    const { connection } = await libvirt.open();
    const domains = await connection.listDomains();
    if (domains.some(({ name }) => name === sandboxNameOf(roomId))) return false;
    await rooms.remove(hosted);
    return true;
  }

  status(roomId: string): AgentResults["migrationStatus"] {
    return this.#options.rooms.status(roomId);
  }
}
