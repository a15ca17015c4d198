/**
 * Rooms in virtual machines, one each. A room's VM keeps its address wherever it goes, so players' connections
 * survive its moves; libvirt moves it, this host's agent drives that and knows afterwards who has it.
 */

import type { Carrier, CarrierEvents } from "@centroid/agent";
import {
  type AgentRequest,
  type AgentResults,
  CentroidError,
  type Published,
  type RoomReport,
} from "@centroid/protocol";
import type { VmConfig } from "./base/config.js";
import { guestMac, networkOf } from "./base/guest-network.js";
import { GuestAddresses } from "./guest/guest-addresses.js";
import { LocalLibvirt } from "./host/local-libvirt.js";
import { VmMoves } from "./migration/vm-moves.js";
import { domainNameOf, RoomRecords, type VmRoomRecord } from "./rooms/room-records.js";
import { REPLY_TIMEOUT_MS, type VmRoom, VmRooms } from "./rooms/vm-rooms.js";

export interface VmCarrierOptions {
  hostId: string;
  vm: VmConfig;
  events: CarrierEvents;
}

/** Its first room makes an emulated guest translate most of its program. */
const FIRST_REPLY_TIMEOUT_MS = 20_000;

export class VmCarrier implements Carrier {
  readonly kind = "vm";
  readonly #options: VmCarrierOptions;
  readonly #records: RoomRecords;
  readonly #addresses: GuestAddresses;
  readonly #libvirt: LocalLibvirt;
  readonly #rooms: VmRooms;
  readonly #moves: VmMoves;
  readonly #adopted: Promise<void>;

  constructor(options: VmCarrierOptions) {
    const { hostId, vm, events } = options;
    this.#options = options;
    this.#records = new RoomRecords(vm.localGuestDirectory);
    this.#addresses = new GuestAddresses({ directory: vm.localGuestDirectory, range: vm.addresses });
    this.#libvirt = new LocalLibvirt(hostId, vm, (name) => this.#moves.resumed(name));
    this.#rooms = new VmRooms(this.#records, this.#libvirt, events);
    const { records, libvirt, rooms } = {
      records: this.#records,
      libvirt: this.#libvirt,
      rooms: this.#rooms,
    };
    this.#moves = new VmMoves({ hostId, vm, events, records, libvirt, rooms });
    this.#adopted = this.#rooms
      .adoptAll()
      .catch((cause: unknown) =>
        events.notice(`rooms from before were not looked for: ${CentroidError.from(cause).message}`),
      );
  }

  warmUp(): void {
    this.#libvirt
      .open()
      .then(({ guests }) => guests.prepareTemplate())
      .catch((cause: unknown) => this.#options.events.notice(CentroidError.from(cause).message));
  }

  has(roomId: string): boolean {
    return this.#rooms.get(roomId) !== undefined;
  }

  checkpointed(roomId: string, _epoch: number, seq: number): void {
    const hosted = this.#rooms.get(roomId);
    if (hosted !== undefined && "guest" in hosted.stage)
      hosted.stage.guest.checkpointed(roomId, hosted.guestEpoch, seq);
  }

  published(said: Published): void {
    for (const { stage } of this.#rooms.values()) if ("guest" in stage) stage.guest.published(said);
  }

  renewLease(forMs: number): void {
    for (const { stage } of this.#rooms.values()) if ("guest" in stage) stage.guest.renewLease(forMs);
  }

  usage(): { cpuMicros: number; rssBytes: number } {
    const total = { cpuMicros: 0, rssBytes: 0 };
    for (const { usage } of this.#rooms.values()) {
      total.cpuMicros += usage.cpuMicros;
      total.rssBytes += this.#options.vm.memoryMebibytes * 2 ** 20;
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
        return this.#moves.migrateIn(request);
      case "migrateOut":
        return this.#moves.migrateOut(request);
      case "abortMigration":
        return { aborted: await this.#moves.abort(request.roomId, request.migrationId) };
      case "migrationStatus":
        return this.#moves.status(request.roomId);
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
          "rooms in virtual machines have no standby; use the process carrier for replicated rooms",
        );
      default: {
        const never: never = request;
        throw new CentroidError("BAD_REQUEST", `unknown method ${JSON.stringify(never)}`);
      }
    }
  }

  #ask({ stage, record }: VmRoom, request: AgentRequest): Promise<unknown> {
    if (!("guest" in stage))
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is on its way here`);
    return stage.guest.ask({ request }, REPLY_TIMEOUT_MS);
  }

  async #start(request: Extract<AgentRequest, { method: "createRoom" | "restoreRoom" }>): Promise<unknown> {
    const { roomId, name, epoch } = request;
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.record.epoch >= epoch)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} exists here already`);
    if (present !== undefined) await this.#rooms.remove(present);
    const record = { roomId, name, epoch, processId: `vm-${roomId}`, address: "" };
    const hosted = this.#rooms.add(record, epoch, { name: "starting" });
    try {
      const { guests } = await this.#libvirt.open();
      // Made by now, unless this host is the first to have none; then this room waits for it.
      await guests.prepareTemplate().catch(() => undefined);
      const ip = await this.#addresses.next();
      const { network, gateway } = this.#options.vm;
      const started = await guests.start(domainNameOf(roomId), {
        ip,
        mac: guestMac(ip),
        prefixBits: networkOf(network).prefixBits,
        ...(gateway !== undefined && { gateway }),
      });
      record.address = `${ip}:${started.port}`;
      await this.#records.write(record);
      const guest = await this.#rooms.listen(hosted);
      const answer = await guest.ask({ request }, FIRST_REPLY_TIMEOUT_MS);
      const { roomId: own = roomId } = answer as { roomId?: string };
      // The machine has its room's name, on every host that it comes to.
      if (own !== roomId)
        throw new CentroidError(
          "ROOM_ERROR",
          `"${name}" set its roomId to "${own}" in onCreate(), which rooms in machines cannot; use the carrier process`,
        );
      return { ...(answer as object), ...where(record) };
    } catch (cause) {
      await this.#rooms.remove(hosted);
      // The broker tries another host for this, and only for this.
      const error = CentroidError.from(cause);
      if (error.code !== "INTERNAL") throw error;
      throw new CentroidError("HOST_LOST", `no VM for room ${roomId}: ${error.message}`, { cause });
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
    // At its own epoch its players are told good-bye; at a newer one it lives elsewhere.
    if (epoch !== hosted.record.epoch || !("guest" in stage)) return this.#rooms.remove(hosted);
    const request = { method: "disposeRoom", roomId, epoch: hosted.guestEpoch, shutdown } as const;
    await stage.guest.ask({ request }, REPLY_TIMEOUT_MS).catch(() => undefined);
    // The room has said that it is over, and is being removed for that, or it does not answer.
    if (this.#rooms.get(roomId) === hosted) await this.#rooms.remove(hosted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rooms.dispose();
    await this.#libvirt[Symbol.asyncDispose]();
  }
}

const where = ({ processId, address }: VmRoomRecord) => ({ processId, address });
