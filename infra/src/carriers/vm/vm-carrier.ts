/**
 * Rooms in virtual machines, one each. A room's VM keeps its address wherever it goes, so players' connections
 * survive its moves; libvirt moves it, this host's agent drives that and knows afterwards who has it.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type AgentRequest,
  type AgentResults,
  CentroidError,
  type Published,
  type RoomEvent,
  type RoomReport,
  roomReportSchema,
} from "@centroid/protocol";
import { z } from "zod";
import { guestAddress } from "../../lab/topology.js";
import type { Carrier, CarrierEvents } from "../carrier.js";
import type { VmConfig } from "./config.js";
import { LocalLibvirt } from "./local-libvirt.js";
import { moveRoomVm } from "./move-room-vm.js";
import { MigrationPredictor } from "./predict.js";
import { RoomGuest, type ToldByGuest } from "./room-guest.js";
import { domainNameOf, RoomRecords, roomIdOf, type VmRoomRecord } from "./room-records.js";

export interface VmCarrierOptions {
  hostId: string;
  vm: VmConfig;
  events: CarrierEvents;
}

/** A room host that does not answer within this is hung; emulated guests are slow, and share their cores. */
const REPLY_TIMEOUT_MS = 8_000;
/** Its first room makes an emulated guest translate most of its program. */
const FIRST_REPLY_TIMEOUT_MS = 20_000;
/** A guest that has arrived must say a word by then, or it is dead. Less than the broker waits for it. */
const ARRIVAL_PROOF_MS = 20_000;
/** Its players' connections end properly before the machine does. */
const FAREWELL_MS = 1_500;

type Stage =
  | { name: "starting" }
  | { name: "running"; guest: RoomGuest }
  /** `over` settles when it is known who has it. */
  | { name: "leaving"; guest: RoomGuest; migrationId: string; abort: AbortController; over: Promise<unknown> }
  | { name: "arriving"; migrationId: string };

interface Hosted {
  record: VmRoomRecord;
  /** The epoch the room host in the guest was told when it began. */
  guestEpoch: number;
  stage: Stage;
  usage: { cpuMicros: number; rssBytes: number };
}

export class VmCarrier implements Carrier {
  readonly kind = "vm";
  readonly #o: VmCarrierOptions;
  readonly #rooms = new Map<string, Hosted>();
  readonly #records: RoomRecords;
  readonly #predictor = new MigrationPredictor();
  readonly #adopted: Promise<void>;
  readonly #libvirt: LocalLibvirt;
  #addressTurn: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(options: VmCarrierOptions) {
    this.#o = options;
    this.#records = new RoomRecords(options.vm.localGuestDirectory);
    this.#libvirt = new LocalLibvirt(options.hostId, options.vm, (name) => this.#resumed(name));
    this.#adopted = this.#adoptAll().catch((cause: unknown) =>
      options.events.notice(`rooms from before were not looked for: ${CentroidError.from(cause).message}`),
    );
  }

  warmUp(): void {
    this.#libvirt
      .open()
      .then(({ guests }) => guests.prepareTemplate())
      .catch((cause: unknown) => this.#o.events.notice(CentroidError.from(cause).message));
  }

  has(roomId: string): boolean {
    return this.#rooms.has(roomId);
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
      total.rssBytes += this.#o.vm.memoryMebibytes * 2 ** 20;
    }
    return total;
  }

  async reports(): Promise<RoomReport[]> {
    await this.#adopted;
    const all = await Promise.all([...this.#rooms.values()].map((hosted) => this.#report(hosted)));
    return all.filter((report) => report !== undefined);
  }

  async #report(hosted: Hosted): Promise<RoomReport | undefined> {
    const { record, stage } = hosted;
    switch (stage.name) {
      case "starting":
        return undefined;
      case "arriving":
        return { ...record, carrier: "vm", passive: true, locked: false, sessions: [] };
      case "running":
      case "leaving": {
        const told = await stage.guest.ask({ reports: true }, REPLY_TIMEOUT_MS).catch(() => []);
        const [report] = z.array(roomReportSchema).parse(told);
        if (report === undefined) return undefined;
        hosted.guestEpoch = report.epoch;
        return this.#own(hosted, report);
      }
      default: {
        const never: never = stage;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  /** What a guest says about itself, in the terms of the network it is in. */
  #own({ record }: Hosted, report: RoomReport): RoomReport {
    const { epoch, processId, address } = record;
    return { ...report, carrier: "vm", epoch, processId, address };
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
        return this.#migrateIn(request);
      case "migrateOut":
        return this.#migrateOut(request);
      case "abortMigration":
        return { aborted: await this.#abort(request.roomId, request.migrationId) };
      case "migrationStatus":
        return this.#status(request.roomId);
      case "disposeRoom":
        await this.#dispose(request.roomId, request.epoch);
        return {};
      case "reserveSeat":
      case "checkReconnection": {
        const hosted = this.#require(request.roomId);
        const answer = await this.#ask(hosted, request);
        return { ...(answer as object), ...where(hosted.record) };
      }
      case "kick":
      case "setLocked":
      case "message":
      case "inspect":
        return this.#ask(this.#require(request.roomId), request);
      case "warmUp":
        this.warmUp();
        return {};
      case "standBy":
      case "replicate":
      case "confirmBy":
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

  #require(roomId: string): Hosted {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
    return hosted;
  }

  #ask({ stage, record }: Hosted, request: AgentRequest): Promise<unknown> {
    if (!("guest" in stage))
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is on its way here`);
    return stage.guest.ask({ request }, REPLY_TIMEOUT_MS);
  }

  // --- beginning and end ---

  async #start(request: Extract<AgentRequest, { method: "createRoom" | "restoreRoom" }>): Promise<unknown> {
    const { roomId, name, epoch } = request;
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.record.epoch >= epoch)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} exists here already`);
    if (present !== undefined) await this.#remove(present);
    const record = { roomId, name, epoch, processId: `vm-${roomId}`, address: "" };
    const hosted: Hosted = { record, guestEpoch: epoch, stage: { name: "starting" }, usage: noUsage() };
    this.#rooms.set(roomId, hosted);
    try {
      const { guests } = await this.#libvirt.open();
      // Made by now, unless this host is the first to have none; then this room waits for it.
      await guests.prepareTemplate().catch(() => undefined);
      const { ip, mac } = guestAddress(await this.#nextAddress());
      const { prefixBits } = this.#o.vm;
      const started = await guests.start(domainNameOf(roomId), { ip, mac, prefixBits });
      record.address = `${ip}:${started.port}`;
      await this.#records.write(record);
      const guest = await this.#listen(hosted);
      const answer = await guest.ask({ request }, FIRST_REPLY_TIMEOUT_MS);
      return { ...(answer as object), ...where(record) };
    } catch (cause) {
      await this.#remove(hosted);
      // The broker tries another host for this, and only for this.
      const error = CentroidError.from(cause);
      if (error.code !== "INTERNAL") throw error;
      throw new CentroidError("HOST_LOST", `no VM for room ${roomId}: ${error.message}`, { cause });
    }
  }

  #nextAddress(): Promise<number> {
    const turn = this.#addressTurn.then(() => this.#records.nextAddress(this.#o.vm.addresses));
    this.#addressTurn = turn.catch(() => undefined);
    return turn;
  }

  async #listen(hosted: Hosted): Promise<RoomGuest> {
    const { guests } = await this.#libvirt.open();
    const channel = await guests.openChannel(domainNameOf(hosted.record.roomId));
    const guest: RoomGuest = new RoomGuest(
      channel,
      (message) => this.#told(hosted, message),
      () => this.#lineClosed(hosted),
    );
    hosted.stage = { name: "running", guest };
    return guest;
  }

  #told(hosted: Hosted, message: ToldByGuest): void {
    const { events } = this.#o;
    const { record } = hosted;
    if (this.#rooms.get(record.roomId) !== hosted) return;
    switch (message.type) {
      case "notice":
        events.notice(message.line);
        return;
      case "published":
        events.published(message);
        // Other machines of this host are other processes too.
        for (const other of this.#rooms.values())
          if (other !== hosted && "guest" in other.stage) other.stage.guest.published(message);
        return;
      case "failed":
        events.notice(`rooms do not load in the VM: ${message.message}`);
        return;
      case "usage":
        hosted.usage = { cpuMicros: message.cpuMicros, rssBytes: message.rssBytes };
        return;
      case "checkpoint": {
        const { seq, takenAtMs, bytes: data, epoch: guestEpoch } = message;
        hosted.guestEpoch = guestEpoch;
        events.checkpoint({ type: "checkpoint", ...idOf(record), seq, takenAtMs, data });
        return;
      }
      case "room":
        this.#emit(hosted, message.change);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  #emit(hosted: Hosted, change: RoomEvent): void {
    const { roomId, epoch } = hosted.record;
    if (change.event === "running")
      this.#o.events.room(roomId, epoch, { ...change, report: this.#own(hosted, change.report) });
    else this.#o.events.room(roomId, epoch, change);
    if (change.event === "disposed") void this.#remove(hosted, FAREWELL_MS);
  }

  /** QEMU has let go of the line: the VM has ended or moved away. */
  #lineClosed(hosted: Hosted): void {
    if (this.#disposed || hosted.stage.name !== "running") return;
    if (this.#rooms.get(hosted.record.roomId) !== hosted) return;
    const error = new CentroidError("HOST_LOST", "the room's VM has ended");
    void this.#remove(hosted);
    this.#emit(hosted, { event: "lost", error: error.toWire() });
  }

  async #dispose(roomId: string, epoch: number): Promise<void> {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return;
    if (epoch < hosted.record.epoch)
      throw new CentroidError(
        "STALE_EPOCH",
        `room ${roomId} is at epoch ${hosted.record.epoch}, not ${epoch}`,
      );
    const { stage } = hosted;
    // At its own epoch its players are told good-bye; at a newer one it lives elsewhere.
    if (epoch !== hosted.record.epoch || !("guest" in stage)) return this.#remove(hosted);
    const request = { method: "disposeRoom", roomId, epoch: hosted.guestEpoch } as const;
    await stage.guest.ask({ request }, REPLY_TIMEOUT_MS).catch(() => undefined);
    // The room has said that it is over, and is being removed for that, or it does not answer.
    if (this.#rooms.get(roomId) === hosted) await this.#remove(hosted);
  }

  /** Ends what is left of a room here. */
  async #remove(hosted: Hosted, afterMs = 0): Promise<void> {
    const { roomId } = hosted.record;
    if (this.#rooms.get(roomId) === hosted) this.#rooms.delete(roomId);
    if ("guest" in hosted.stage) hosted.stage.guest[Symbol.dispose]();
    await this.#records.remove(roomId);
    if (afterMs > 0) await delay(afterMs, undefined, { ref: false });
    // The same room may have begun here anew.
    if (this.#rooms.has(roomId)) return;
    await this.#destroy(domainNameOf(roomId));
  }

  async #destroy(name: string): Promise<void> {
    try {
      const { connection } = await this.#libvirt.open();
      await (await connection.lookupByName(name)).destroy();
    } catch {
      // Gone already, or its libvirt is: then it is looked for at the agent's next start.
    }
  }

  // --- moves ---

  async #migrateIn(
    request: Extract<AgentRequest, { method: "migrateIn" }>,
  ): Promise<AgentResults["migrateIn"]> {
    const { roomId, migrationId, name, epoch, at } = request;
    if (at === undefined)
      throw new CentroidError("BAD_REQUEST", "a VM keeps its address; the broker must say which it has");
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.stage.name !== "arriving")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on this host already`);
    await this.#libvirt.open();
    const record = { roomId, name, epoch, ...at };
    await this.#records.write(record);
    const stage = { name: "arriving", migrationId } as const;
    this.#rooms.set(roomId, { record, guestEpoch: 0, stage, usage: noUsage() });
    return { ...at, transferUrl: `tcp://${this.#o.vm.peerAddress}`, ticket: migrationId };
  }

  /** It runs here: once it has said a word it is ours. */
  async #arrived(hosted: Hosted, migrationId: string): Promise<void> {
    const { events } = this.#o;
    const { record } = hosted;
    try {
      const guest = await this.#listen(hosted);
      const told = await guest.askUntilAnswered({ reports: true }, ARRIVAL_PROOF_MS);
      const [report] = z.array(roomReportSchema).parse(told);
      if (report === undefined) throw new CentroidError("ROOM_NOT_FOUND", "the VM came without its room");
      hosted.guestEpoch = report.epoch;
      events.room(record.roomId, record.epoch, { event: "owned", migrationId });
      events.room(record.roomId, record.epoch, { event: "running", report: this.#own(hosted, report) });
    } catch (cause) {
      events.notice(`room ${record.roomId} arrived dead: ${CentroidError.from(cause).message}`);
      await this.#remove(hosted);
    }
  }

  async #migrateOut(
    request: Extract<AgentRequest, { method: "migrateOut" }>,
  ): Promise<AgentResults["migrateOut"]> {
    const hosted = this.#require(request.roomId);
    const { stage, record } = hosted;
    if (stage.name !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${record.roomId} is being moved already`);
    const { guest } = stage;
    const { migrationId } = request;
    const abort = new AbortController();
    const move = moveRoomVm({
      request,
      hostId: this.#o.hostId,
      libvirtUri: this.#o.vm.libvirtUri,
      address: record.address,
      connection: (await this.#libvirt.open()).connection,
      predictor: this.#predictor,
      signal: abort.signal,
      save: () => guest.ask({ saveNow: record.roomId }, REPLY_TIMEOUT_MS),
      onPhase: (phase, bytes) => this.#emit(hosted, { event: "phase", migrationId, phase, bytes }),
    });
    hosted.stage = { name: "leaving", guest, migrationId, abort, over: move.catch(() => undefined) };
    const { owner, transfer, error } = await move;
    if (owner === "source") {
      hosted.stage = { name: "running", guest };
      throw error;
    }
    // The VM is not here any more, so there is nothing to destroy.
    this.#rooms.delete(record.roomId);
    guest[Symbol.dispose]();
    await this.#records.remove(record.roomId);
    if (error !== undefined) throw error;
    return transfer;
  }

  async #abort(roomId: string, migrationId: string): Promise<boolean> {
    const hosted = this.#rooms.get(roomId);
    const stage = hosted?.stage;
    if (hosted === undefined || stage === undefined) return false;
    if (stage.name === "leaving" && stage.migrationId === migrationId) {
      stage.abort.abort(new CentroidError("MIGRATION_FAILED", "the move was called off"));
      await stage.over;
      return true;
    }
    if (stage.name !== "arriving" || stage.migrationId !== migrationId) return false;
    // While there is something of it here, its source decides.
    const { connection } = await this.#libvirt.open();
    const domains = await connection.listDomains();
    if (domains.some(({ name }) => name === domainNameOf(roomId))) return false;
    await this.#remove(hosted);
    return true;
  }

  #status(roomId: string): AgentResults["migrationStatus"] {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return { role: "none", epoch: 0 };
    return { role: hosted.stage.name === "running" ? "owner" : "passive", epoch: hosted.record.epoch };
  }

  // --- libvirt ---

  #resumed(domainName: string): void {
    const hosted = this.#rooms.get(roomIdOf(domainName) ?? "");
    if (hosted?.stage.name !== "arriving") return;
    const { migrationId } = hosted.stage;
    hosted.stage = { name: "starting" };
    void this.#arrived(hosted, migrationId);
  }

  /** VMs of an agent that ran here before: known ones that live are ours, all others end. */
  async #adoptAll(): Promise<void> {
    const { connection } = await this.#libvirt.open();
    for (const domain of await connection.listDomains("active")) {
      const roomId = roomIdOf(domain.name);
      if (roomId === undefined) continue;
      const record = await this.#records.read(roomId);
      const { state } = await domain.getState();
      if (record !== undefined && (state === "running" || state === "blocked")) {
        const hosted: Hosted = {
          record,
          guestEpoch: record.epoch,
          stage: { name: "starting" },
          usage: noUsage(),
        };
        this.#rooms.set(roomId, hosted);
        await this.#listen(hosted);
        if ((await this.#report(hosted)) !== undefined) continue;
        this.#rooms.delete(roomId);
      }
      this.#o.events.notice(`a VM of no room, ${domain.name}, was left here; it is stopped`);
      await domain.destroy();
      await this.#records.remove(roomId);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const { stage } of this.#rooms.values()) if ("guest" in stage) stage.guest[Symbol.dispose]();
    await this.#libvirt[Symbol.asyncDispose]();
  }
}

const noUsage = () => ({ cpuMicros: 0, rssBytes: 0 });
const where = ({ processId, address }: VmRoomRecord) => ({ processId, address });
const idOf = ({ roomId, epoch }: VmRoomRecord) => ({ roomId, epoch });
