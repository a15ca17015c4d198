/** The rooms whose sandboxes are on this host: the stage of each, the line to it, what it reports, and its end. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type AgentResults,
  CentroidError,
  type RoomEvent,
  type RoomReport,
  roomReportSchema,
} from "@centroid/protocol";
import type { LastWords } from "@centroid/room-host";
import { z } from "zod";
import { blameOf } from "../carrier/blame.js";
import type { CarrierEvents } from "../carrier/carrier.js";
import { HeldLease } from "../carrier/held-lease.js";
import type { RoomRecords, SandboxRecord } from "./room-records.js";
import { SandboxedRoomHost, type SandboxMessage } from "./sandboxed-room-host.js";
import type { LeftSandbox, Sandboxes } from "./sandboxes.js";

/** A room host that does not answer within this is hung; emulated guests are slow, and share their cores. */
export const REPLY_TIMEOUT_MS = 8_000;
/** A sandbox that has just arrived must answer by then, or it is dead. Less than the broker waits for it. */
const PROOF_OF_LIFE_MS = 20_000;
/** Who runs the sandboxes sees one end when we do; if that has died too, a loss is noticed this much later. */
const HOW_ENDED_MS = 1_000;
/** Over at once. */
const LEAST_LEASE_MS = 1;
/** Its players' connections end properly before the sandbox does. */
const FAREWELL_MS = 1_500;

export type SandboxStage =
  | { state: "starting" }
  | { state: "running"; host: SandboxedRoomHost }
  /** `over` settles when it is known who has it. */
  | {
      state: "leaving";
      host: SandboxedRoomHost;
      migrationId: string;
      abort: AbortController;
      over: Promise<unknown>;
    }
  | { state: "arriving"; migrationId: string }
  /** Stopped for a move that did not end; it was like this before, and only the broker may have it continued. */
  | { state: "stopped"; report: RoomReport };

export interface SandboxRoom {
  readonly record: SandboxRecord;
  /** The epoch the room host in the sandbox was told when it began. */
  hostEpoch: number;
  stage: SandboxStage;
  usage: { cpuMicros: number; rssBytes: number };
  /** What its room host said of its own end. */
  lastWords?: LastWords;
}

export class SandboxRooms {
  readonly #rooms = new Map<string, SandboxRoom>();
  readonly #records: RoomRecords;
  readonly #sandboxes: Sandboxes;
  readonly #events: CarrierEvents;
  /** Sandboxes that are being ended: the same room may begin here anew only afterwards. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #lease = new HeldLease();
  #disposed = false;

  constructor(records: RoomRecords, sandboxes: Sandboxes, events: CarrierEvents) {
    this.#records = records;
    this.#sandboxes = sandboxes;
    this.#events = events;
  }

  renewLease(forMs: number): void {
    const lapsed = this.#lease.renew(forMs);
    for (const { stage } of this.#rooms.values()) if ("host" in stage) stage.host.renewLease(forMs, lapsed);
  }

  get(roomId: string): SandboxRoom | undefined {
    return this.#rooms.get(roomId);
  }

  /** @throws CentroidError ROOM_NOT_FOUND */
  require(roomId: string): SandboxRoom {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
    return hosted;
  }

  values(): IterableIterator<SandboxRoom> {
    return this.#rooms.values();
  }

  add(record: SandboxRecord, hostEpoch: number, stage: SandboxStage): SandboxRoom {
    const hosted: SandboxRoom = { record, hostEpoch, stage, usage: { cpuMicros: 0, rssBytes: 0 } };
    this.#rooms.set(record.roomId, hosted);
    return hosted;
  }

  /** What a move's other side and the broker may know of a room here. */
  status(roomId: string): AgentResults["migrationStatus"] {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return { role: "none", epoch: 0 };
    return { role: hosted.stage.state === "running" ? "owner" : "passive", epoch: hosted.record.epoch };
  }

  async reports(): Promise<RoomReport[]> {
    const all = await Promise.all([...this.#rooms.values()].map((hosted) => this.#report(hosted)));
    return all.filter((report) => report !== undefined);
  }

  async #report(hosted: SandboxRoom): Promise<RoomReport | undefined> {
    const { record, stage } = hosted;
    switch (stage.state) {
      case "starting":
        return undefined;
      case "stopped":
        return this.#own(hosted, stage.report);
      case "arriving":
        return { ...record, carrier: this.#sandboxes.kind, passive: true, locked: false, sessions: [] };
      case "running":
      case "leaving": {
        const told = await stage.host.ask({ reports: true }, REPLY_TIMEOUT_MS).catch(() => []);
        return this.#take(hosted, told);
      }
      default: {
        const never: never = stage;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  /** What a sandbox reports of itself, in the terms of the network it is in; undefined if it has no room. */
  #take(hosted: SandboxRoom, told: unknown): RoomReport | undefined {
    const [report] = z.array(roomReportSchema).parse(told);
    if (report === undefined) return undefined;
    hosted.hostEpoch = report.epoch;
    return this.#own(hosted, report);
  }

  /** Opens the line to a sandbox that runs here; its room is running from then on. */
  async listen(hosted: SandboxRoom): Promise<SandboxedRoomHost> {
    const line = await this.#sandboxes.openLine(hosted.record.roomId);
    const host: SandboxedRoomHost = new SandboxedRoomHost(
      line,
      this.#sandboxes.noun,
      (message) => this.#onMessage(hosted, message),
      () => void this.#lineClosed(hosted),
    );
    hosted.stage = { state: "running", host };
    // It took its time to start; if the lease is over by now, another host may have the room.
    const { leftMs } = this.#lease;
    if (leftMs !== undefined) host.renewLease(Math.max(LEAST_LEASE_MS, leftMs), false);
    return host;
  }

  /** Waits until a sandbox that has just come answers; undefined if it lives without its room. */
  async awaitArrival(hosted: SandboxRoom): Promise<RoomReport | undefined> {
    const host = await this.listen(hosted);
    return this.#take(hosted, await host.askUntilAnswered({ reports: true }, PROOF_OF_LIFE_MS));
  }

  #onMessage(hosted: SandboxRoom, message: SandboxMessage): void {
    const events = this.#events;
    const { roomId, epoch } = hosted.record;
    if (this.#rooms.get(roomId) !== hosted) return;
    switch (message.type) {
      case "notice":
        events.notice(message.line);
        return;
      case "published":
        events.published(message);
        // Other sandboxes of this host are other processes too.
        for (const other of this.#rooms.values())
          if (other !== hosted && "host" in other.stage) other.stage.host.published(message);
        return;
      case "asked": {
        const { requestId, question } = message;
        const answer = (answered: object): void => {
          if ("host" in hosted.stage)
            hosted.stage.host.answered({ type: "answered", requestId, ...answered });
        };
        events.ask(question).then(
          (result) => answer({ result }),
          (cause: unknown) => answer({ error: CentroidError.from(cause).toWire() }),
        );
        return;
      }
      case "failed":
        events.notice(`rooms do not load in the ${this.#sandboxes.noun}: ${message.message}`);
        return;
      case "usage":
        hosted.usage = { cpuMicros: message.cpuMicros, rssBytes: message.rssBytes };
        return;
      case "checkpoint": {
        const { seq, takenAtMs, bytes: data } = message;
        hosted.hostEpoch = message.epoch;
        events.checkpoint({ type: "checkpoint", roomId, epoch, seq, takenAtMs, data });
        return;
      }
      case "room":
        this.emit(hosted, message.change);
        return;
      case "lastWords":
        hosted.lastWords = message;
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  emit(hosted: SandboxRoom, change: RoomEvent): void {
    const { roomId, epoch } = hosted.record;
    if (change.event === "running")
      this.#events.room(roomId, epoch, { ...change, report: this.#own(hosted, change.report) });
    else this.#events.room(roomId, epoch, change);
    if (change.event === "disposed") void this.remove(hosted, FAREWELL_MS);
  }

  /** The line is closed: the sandbox has ended or, by a move that an agent before this one began, moved away. */
  async #lineClosed(hosted: SandboxRoom): Promise<void> {
    const { roomId } = hosted.record;
    const isOurs = () =>
      !this.#disposed && hosted.stage.state === "running" && this.#rooms.get(roomId) === hosted;
    if (!isOurs()) return;
    const how = await this.#sandboxes.howEnded(roomId, HOW_ENDED_MS);
    if (!isOurs()) return;
    if (how === "migrated") return this.forget(hosted);
    await this.lost(hosted);
  }

  /** Ends what is left of a room whose sandbox has ended by itself, and says so. */
  async lost(hosted: SandboxRoom): Promise<void> {
    const { roomId } = hosted.record;
    const words = hosted.lastWords ?? (await this.#sandboxes.lastWords?.(roomId));
    if (this.#disposed || this.#rooms.get(roomId) !== hosted) return;
    const error = new CentroidError("HOST_LOST", `the room's ${this.#sandboxes.noun} has ended`);
    if (words !== undefined)
      this.#events.notice(`room ${roomId}: ${error.message}: ${JSON.stringify(words)}`);
    void this.remove(hosted);
    this.emit(hosted, { event: "lost", error: error.toWire(), ...(words && { blame: blameOf(words) }) });
  }

  /** Its sandbox is not here any more. */
  async forget(hosted: SandboxRoom): Promise<void> {
    const { roomId } = hosted.record;
    if ("host" in hosted.stage) hosted.stage.host[Symbol.dispose]();
    const present = this.#rooms.get(roomId);
    // The same room may have begun here anew, and its record is that one's.
    if (present !== undefined && present !== hosted) return;
    this.#rooms.delete(roomId);
    await this.#records.remove(roomId);
  }

  /** Ends what is left of a room here. */
  async remove(hosted: SandboxRoom, afterMs = 0): Promise<void> {
    const { roomId } = hosted.record;
    await this.forget(hosted);
    if (afterMs > 0) await delay(afterMs, undefined, { ref: false });
    // Meanwhile, too.
    if (this.#rooms.has(roomId)) return;
    // One that rejects is gone already, or what runs it is: then it is looked for at the agent's next start.
    const ending = this.#sandboxes.destroy(roomId).catch(() => undefined);
    this.#ending.set(roomId, ending);
    await ending;
    if (this.#ending.get(roomId) === ending) this.#ending.delete(roomId);
  }

  /** Resolves when nothing is left here of an earlier sandbox of this room. */
  async ended(roomId: string): Promise<void> {
    await this.#ending.get(roomId);
  }

  /** Sandboxes of an agent that ran here before: known ones that live are ours, all others end. */
  async adoptAll(): Promise<void> {
    for (const left of await this.#sandboxes.left()) {
      const { roomId } = left;
      const record = await this.#records.read(roomId);
      if (record !== undefined && (await this.#adopt(record, left))) continue;
      if (!(await left.isActive())) continue;
      this.#events.notice(
        `a ${this.#sandboxes.noun} of no known room, ${roomId}, was left here; it is stopped`,
      );
      await this.#sandboxes.destroy(roomId);
      await this.#records.remove(roomId);
    }
  }

  /** @returns whether it is a room's, or on its way to another host by itself */
  async #adopt(record: SandboxRecord, left: LeftSandbox): Promise<boolean> {
    if (left.stoppedAs !== undefined) {
      this.add(record, record.epoch, { state: "stopped", report: left.stoppedAs });
      return true;
    }
    if (!(await left.settle())) return false;
    const hosted = this.add(record, record.epoch, { state: "starting" });
    if (await this.awaitArrival(hosted).catch(() => undefined)) return true;
    if (await left.isLeaving()) return true;
    await this.forget(hosted);
    return false;
  }

  /** Lets go of all lines; the sandboxes go on. */
  dispose(): void {
    this.#disposed = true;
    for (const { stage } of this.#rooms.values()) if ("host" in stage) stage.host[Symbol.dispose]();
  }

  #own({ record }: SandboxRoom, report: RoomReport): RoomReport {
    const { epoch, processId, address } = record;
    return { ...report, carrier: this.#sandboxes.kind, epoch, processId, address };
  }
}
