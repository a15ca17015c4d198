/** The rooms whose machines run on this host: the line to each, what they say, and their end. */
import { setTimeout as delay } from "node:timers/promises";
import type { CarrierEvents } from "@centroid/agent";
import type { Domain } from "@centroid/node-libvirt";
import { CentroidError, type RoomEvent, type RoomReport, roomReportSchema } from "@centroid/protocol";
import { z } from "zod";
import { RoomGuest, type ToldByGuest } from "../guest/room-guest.js";
import type { LocalLibvirt } from "../host/local-libvirt.js";
import { domainNameOf, type RoomRecords, roomIdOf, type VmRoomRecord } from "./room-records.js";

/** A room host that does not answer within this is hung; emulated guests are slow, and share their cores. */
export const REPLY_TIMEOUT_MS = 8_000;
/** A machine that has just come must say a word by then, or it is dead. Less than the broker waits for it. */
const PROOF_OF_LIFE_MS = 20_000;
/** libvirt sees the end of a VM at the same time as we do; when it is dead itself, this is what a loss takes longer. */
const HOW_ENDED_MS = 1_000;
/** Its players' connections end properly before the machine does. */
const FAREWELL_MS = 1_500;

export type Stage =
  | { name: "starting" }
  | { name: "running"; guest: RoomGuest }
  /** `over` settles when it is known who has it. */
  | { name: "leaving"; guest: RoomGuest; migrationId: string; abort: AbortController; over: Promise<unknown> }
  | { name: "arriving"; migrationId: string };

export interface VmRoom {
  readonly record: VmRoomRecord;
  /** The epoch the room host in the guest was told when it began. */
  guestEpoch: number;
  stage: Stage;
  usage: { cpuMicros: number; rssBytes: number };
}

export class VmRooms {
  readonly #rooms = new Map<string, VmRoom>();
  readonly #records: RoomRecords;
  readonly #libvirt: LocalLibvirt;
  readonly #events: CarrierEvents;
  #disposed = false;

  constructor(records: RoomRecords, libvirt: LocalLibvirt, events: CarrierEvents) {
    this.#records = records;
    this.#libvirt = libvirt;
    this.#events = events;
  }

  get(roomId: string): VmRoom | undefined {
    return this.#rooms.get(roomId);
  }

  /** @throws CentroidError ROOM_NOT_FOUND */
  require(roomId: string): VmRoom {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
    return hosted;
  }

  values(): IterableIterator<VmRoom> {
    return this.#rooms.values();
  }

  add(record: VmRoomRecord, guestEpoch: number, stage: Stage): VmRoom {
    const hosted: VmRoom = { record, guestEpoch, stage, usage: { cpuMicros: 0, rssBytes: 0 } };
    this.#rooms.set(record.roomId, hosted);
    return hosted;
  }

  async reports(): Promise<RoomReport[]> {
    const all = await Promise.all([...this.#rooms.values()].map((hosted) => this.#report(hosted)));
    return all.filter((report) => report !== undefined);
  }

  async #report(hosted: VmRoom): Promise<RoomReport | undefined> {
    const { record, stage } = hosted;
    switch (stage.name) {
      case "starting":
        return undefined;
      case "arriving":
        return { ...record, carrier: "vm", passive: true, locked: false, sessions: [] };
      case "running":
      case "leaving": {
        const told = await stage.guest.ask({ reports: true }, REPLY_TIMEOUT_MS).catch(() => []);
        return this.#take(hosted, told);
      }
      default: {
        const never: never = stage;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  /** What a guest says about itself, in the terms of the network it is in; undefined if it has no room. */
  #take(hosted: VmRoom, told: unknown): RoomReport | undefined {
    const [report] = z.array(roomReportSchema).parse(told);
    if (report === undefined) return undefined;
    hosted.guestEpoch = report.epoch;
    return own(hosted, report);
  }

  /** Opens the line to a guest that runs here; it is running from then on. */
  async listen(hosted: VmRoom): Promise<RoomGuest> {
    const { guests } = await this.#libvirt.open();
    const channel = await guests.openChannel(domainNameOf(hosted.record.roomId));
    const guest: RoomGuest = new RoomGuest(
      channel,
      (message) => this.#told(hosted, message),
      () => void this.#lineClosed(hosted),
    );
    hosted.stage = { name: "running", guest };
    return guest;
  }

  /** Listens to a machine that has just come to be ours; undefined if it lives without its room. */
  async hear(hosted: VmRoom): Promise<RoomReport | undefined> {
    const guest = await this.listen(hosted);
    return this.#take(hosted, await guest.askUntilAnswered({ reports: true }, PROOF_OF_LIFE_MS));
  }

  #told(hosted: VmRoom, message: ToldByGuest): void {
    const events = this.#events;
    const { roomId, epoch } = hosted.record;
    if (this.#rooms.get(roomId) !== hosted) return;
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
      case "asked": {
        const { requestId, question } = message;
        const answer = (answered: object): void => {
          if ("guest" in hosted.stage)
            hosted.stage.guest.answered({ type: "answered", requestId, ...answered });
        };
        events.ask(question).then(
          (result) => answer({ result }),
          (cause: unknown) => answer({ error: CentroidError.from(cause).toWire() }),
        );
        return;
      }
      case "failed":
        events.notice(`rooms do not load in the VM: ${message.message}`);
        return;
      case "usage":
        hosted.usage = { cpuMicros: message.cpuMicros, rssBytes: message.rssBytes };
        return;
      case "checkpoint": {
        const { seq, takenAtMs, bytes: data } = message;
        hosted.guestEpoch = message.epoch;
        events.checkpoint({ type: "checkpoint", roomId, epoch, seq, takenAtMs, data });
        return;
      }
      case "room":
        this.emit(hosted, message.change);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  emit(hosted: VmRoom, change: RoomEvent): void {
    const { roomId, epoch } = hosted.record;
    if (change.event === "running")
      this.#events.room(roomId, epoch, { ...change, report: own(hosted, change.report) });
    else this.#events.room(roomId, epoch, change);
    if (change.event === "disposed") void this.remove(hosted, FAREWELL_MS);
  }

  /** QEMU has let go of the line: the VM has ended or, by a move that an agent before this one began, moved away. */
  async #lineClosed(hosted: VmRoom): Promise<void> {
    const { roomId } = hosted.record;
    const isOurs = () =>
      !this.#disposed && hosted.stage.name === "running" && this.#rooms.get(roomId) === hosted;
    if (!isOurs()) return;
    const how = await this.#libvirt.howEnded(domainNameOf(roomId), HOW_ENDED_MS);
    if (!isOurs()) return;
    if (how === "migrated") return this.forget(hosted);
    const error = new CentroidError("HOST_LOST", "the room's VM has ended");
    void this.remove(hosted);
    this.emit(hosted, { event: "lost", error: error.toWire() });
  }

  /** Its VM is not here any more. */
  async forget(hosted: VmRoom): Promise<void> {
    const { roomId } = hosted.record;
    if ("guest" in hosted.stage) hosted.stage.guest[Symbol.dispose]();
    const present = this.#rooms.get(roomId);
    // The same room may have begun here anew, and its record is that one's.
    if (present !== undefined && present !== hosted) return;
    this.#rooms.delete(roomId);
    await this.#records.remove(roomId);
  }

  /** Ends what is left of a room here. */
  async remove(hosted: VmRoom, afterMs = 0): Promise<void> {
    const { roomId } = hosted.record;
    await this.forget(hosted);
    if (afterMs > 0) await delay(afterMs, undefined, { ref: false });
    // Meanwhile, too.
    if (this.#rooms.has(roomId)) return;
    try {
      const { connection } = await this.#libvirt.open();
      await (await connection.lookupByName(domainNameOf(roomId))).destroy();
    } catch {
      // Gone already, or its libvirt is: then it is looked for at the agent's next start.
    }
  }

  /** VMs of an agent that ran here before: known ones that live are ours, all others end. */
  async adoptAll(): Promise<void> {
    const { connection } = await this.#libvirt.open();
    for (const domain of await connection.listDomains("active")) {
      const roomId = roomIdOf(domain.name);
      if (roomId === undefined) continue;
      const record = await this.#records.read(roomId);
      if (record !== undefined && (await this.#adopt(record, domain))) continue;
      if (!(await isActive(domain))) continue;
      this.#events.notice(`a VM of no room, ${domain.name}, was left here; it is stopped`);
      await domain.destroy();
      await this.#records.remove(roomId);
    }
  }

  /** @returns whether it is a room's, or on its way to another host by itself */
  async #adopt(record: VmRoomRecord, domain: Domain): Promise<boolean> {
    // A move that nobody watches may go on for ever. In post-copy it cannot be taken back, and ends by itself.
    if (await isLeaving(domain)) await domain.abortJob().catch(() => undefined);
    const leaving = await isLeaving(domain);
    const { state } = await domain.getState();
    if (!leaving && state !== "running" && state !== "blocked") return false;
    const hosted = this.add(record, record.epoch, { name: "starting" });
    if (await this.hear(hosted).catch(() => undefined)) return true;
    if (await isLeaving(domain)) return true;
    await this.forget(hosted);
    return false;
  }

  /** Lets go of all lines; the machines go on. */
  dispose(): void {
    this.#disposed = true;
    for (const { stage } of this.#rooms.values()) if ("guest" in stage) stage.guest[Symbol.dispose]();
  }
}

function own({ record }: VmRoom, report: RoomReport): RoomReport {
  const { epoch, processId, address } = record;
  return { ...report, carrier: "vm", epoch, processId, address };
}

/** libvirt goes on with a move whose agent has ended. */
async function isLeaving(domain: Domain): Promise<boolean> {
  const job = await domain.getJobStats().catch(() => undefined);
  return job?.operation === "migration-out" && job.type !== "none";
}

async function isActive(domain: Domain): Promise<boolean> {
  return domain.getState().then(
    ({ state }) => state !== "shutoff",
    () => false,
  );
}
