/**
 * Rooms in ordinary processes: room hosts, forked when they are first needed. One holds all rooms of the host, or as
 * many share them as `isolation` says. If one dies, its rooms are reported lost and a fresh one takes new rooms.
 */
import { availableParallelism } from "node:os";
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  CentroidError,
  type MeasureOrder,
  type Published,
  type RoomReport,
  type WireError,
} from "@centroid/protocol";
import type { LastWords } from "@centroid/room-host";
import { blameOf } from "./blame.js";
import type { Carrier, CarrierEvents } from "./carrier.js";
import { chooseProcess, type Isolation, maxProcesses, type ProcessLoad } from "./choose-process.js";
import { HeldLease } from "./held-lease.js";
import { RoomProcess, type RoomProcessSettings } from "./room-process.js";

export interface ProcessCarrierOptions extends RoomProcessSettings {
  hostId: string;
  /** `shared` if not given. */
  isolation?: Isolation;
  events: CarrierEvents;
}

/** What brings a room here. */
const STARTS: ReadonlySet<AgentMethod> = new Set(["createRoom", "migrateIn", "restoreRoom"]);
/** What takes it away, if it was answered. */
const ENDS: ReadonlySet<AgentMethod> = new Set(["migrateOut", "disposeRoom"]);
/** The room that was given the last idle process has begun by then. */
const NEXT_PROCESS_AFTER_MS = 1_000;

type RoomRequest = Exclude<AgentRequest, { method: "warmUp" }>;

export class ProcessCarrier implements Carrier {
  readonly kind = "process";
  readonly #options: ProcessCarrierOptions;
  readonly #most: number;
  readonly #processes = new Set<RoomProcess>();
  /** Where each room is, standbys and what is on its way included. */
  readonly #places = new Map<string, RoomProcess>();
  #nextProcess = 1;
  readonly #lease = new HeldLease();
  #disposed = false;

  constructor(options: ProcessCarrierOptions) {
    this.#options = options;
    const { isolation = "shared" } = options;
    this.#most = maxProcesses(isolation, isolation === "core" ? availableParallelism() : 1);
  }

  /** Process id of the first room host, if one runs. */
  get pid(): number | undefined {
    return [...this.#processes][0]?.pid;
  }

  warmUp(): void {
    if (this.#disposed || chooseProcess(this.#loads(), this.#most) !== undefined) return;
    const process = this.#start();
    process.ready.catch((cause: unknown) => {
      // A Ctrl-C or a stop reaches the whole group; a process that was still loading could not wait for its agent.
      const signal = process.endedBy;
      if (signal === "SIGINT" || signal === "SIGTERM" || signal === "SIGHUP") return;
      this.#options.events.notice(CentroidError.from(cause).message);
    });
  }

  has(roomId: string): boolean {
    return this.#places.get(roomId)?.rooms.has(roomId) === true;
  }

  async reports(): Promise<RoomReport[]> {
    // One that still loads has none, and the rooms of the others must not be silent for as long as that takes.
    const ready = [...this.#processes].filter(({ isReady }) => isReady);
    const all = ready.map((process) =>
      process.reports().catch((cause: unknown) => {
        // Its rooms are lost, which is told when it ends.
        if (process.pid === undefined) return [];
        throw cause;
      }),
    );
    return (await Promise.all(all)).flat();
  }

  checkpointed(roomId: string, epoch: number, seq: number): void {
    this.#places.get(roomId)?.checkpointed(roomId, epoch, seq);
  }

  unsaved(roomId: string, epoch: number, seq: number, error: WireError): void {
    this.#places.get(roomId)?.unsaved(roomId, epoch, seq, error);
  }

  measure(order: MeasureOrder): void {
    this.#places.get(order.roomId)?.measure(order);
  }

  renewLease(forMs: number): void {
    const lapsed = this.#lease.renew(forMs);
    for (const process of this.#processes) process.renewLease(forMs, lapsed);
  }

  async saveRooms(withinMs: number): Promise<void> {
    const saves = [...this.#processes].flatMap((process) =>
      [...process.rooms.keys()].map((roomId) => process.ask({ saveNow: roomId })),
    );
    const late = new Promise((resolve) => setTimeout(resolve, withinMs).unref());
    await Promise.race([Promise.allSettled(saves), late]);
  }

  published(said: Published): void {
    for (const process of this.#processes) process.published(said);
  }

  usage(): { cpuMicros: number; rssBytes: number } {
    const total = { cpuMicros: 0, rssBytes: 0 };
    for (const { usage } of this.#processes) {
      total.cpuMicros += usage.cpuMicros;
      total.rssBytes += usage.rssBytes;
    }
    return total;
  }

  async handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]> {
    if (request.method === "warmUp") {
      this.warmUp();
      return {} as AgentResults[R["method"]];
    }
    return (await this.#handle(request)) as AgentResults[R["method"]];
  }

  async #handle(request: RoomRequest): Promise<unknown> {
    if (this.#disposed) throw new CentroidError("HOST_LOST", "this agent is shutting down");
    const { method, roomId } = request;
    const starts = STARTS.has(method);
    const takes = starts || method === "standBy";
    const known = this.#places.get(roomId);
    const restores = method === "restoreRoom";
    const { lapses } = this.#lease;
    if (restores && this.#lease.isOver) throw tooLate(roomId);
    const process = known ?? (takes ? this.#choose(roomId) : this.#only());
    if (process === undefined) return notHere(request);
    try {
      await process.ready;
      if (restores && (this.#lease.isOver || this.#lease.lapses !== lapses)) throw tooLate(roomId);
      if (starts && "epoch" in request) process.rooms.set(roomId, request.epoch);
      const answer = await process.ask({ request });
      if (ENDS.has(method)) this.#left(roomId, process);
      if (method === "endStandby" && !process.rooms.has(roomId)) this.#left(roomId, process);
      if (method === "createRoom") this.#renamed(request, answer as AgentResults["createRoom"], process);
      return answer;
    } catch (error) {
      if (starts) process.rooms.delete(roomId);
      if (takes && known === undefined) this.#left(roomId, process);
      throw error;
    }
  }

  /** For a room that comes here. */
  #choose(roomId: string): RoomProcess {
    const at = chooseProcess(this.#loads(), this.#most);
    const process = (at === undefined ? undefined : [...this.#processes][at]) ?? this.#start();
    this.#places.set(roomId, process);
    process.newRooms++;
    // Whoever comes next need not wait for a process to start.
    if (this.#most > 1) setTimeout(() => this.warmUp(), NEXT_PROCESS_AFTER_MS).unref();
    return process;
  }

  /** Whom to ask about a room that is in no known place; one that still loads has none. */
  #only(): RoomProcess | undefined {
    const [only, ...others] = this.#processes;
    return others.length === 0 && only?.isReady === true ? only : undefined;
  }

  #loads(): ProcessLoad[] {
    const rooms = new Map<RoomProcess, number>();
    for (const process of this.#places.values()) rooms.set(process, (rooms.get(process) ?? 0) + 1);
    return [...this.#processes].map((process) => ({
      rooms: rooms.get(process) ?? 0,
      load: process.load,
      newRooms: process.newRooms,
    }));
  }

  #start(): RoomProcess {
    const { hostId, events } = this.#options;
    const process: RoomProcess = new RoomProcess({
      ...this.#options,
      processId: `${hostId}-${this.#nextProcess++}`.replaceAll(/[^A-Za-z0-9_-]/g, "-"),
      events: {
        ...events,
        room: (roomId, epoch, change) => {
          if (change.event === "disposed") this.#left(roomId, process);
          if (change.event === "owned") this.#places.set(roomId, process);
          events.room(roomId, epoch, change);
        },
        published: (said) => {
          for (const other of this.#processes) if (other !== process) other.published(said);
          events.published(said);
        },
      },
      onEnd: (error, lastWords) => void this.#ended(process, error, lastWords),
    });
    this.#processes.add(process);
    // An order may wait until it has loaded; if the lease is over by then, another host may have the room.
    const { leftMs } = this.#lease;
    if (leftMs !== undefined) process.renewLease(leftMs, false);
    return process;
  }

  /** A room that chose an id of its own is known by that. */
  #renamed(
    { roomId, epoch }: Extract<AgentRequest, { method: "createRoom" }>,
    { roomId: own }: { roomId?: string | undefined },
    process: RoomProcess,
  ): void {
    if (own === undefined || own === roomId) return;
    this.#left(roomId, process);
    if (!process.rooms.has(own)) process.rooms.set(own, epoch);
    this.#places.set(own, process);
  }

  #left(roomId: string, process: RoomProcess): void {
    process.rooms.delete(roomId);
    if (this.#places.get(roomId) === process) this.#places.delete(roomId);
  }

  async #ended(
    process: RoomProcess,
    error: CentroidError,
    lastWords: () => Promise<LastWords | undefined>,
  ): Promise<void> {
    this.#processes.delete(process);
    for (const [roomId, place] of this.#places) if (place === process) this.#places.delete(roomId);
    const lost = [...process.rooms];
    process.rooms.clear();
    const words = await lastWords();
    if (this.#disposed) return;
    const { notice, room } = this.#options.events;
    if (words !== undefined) notice(`${error.message}: ${JSON.stringify(words)}`);
    for (const [roomId, epoch] of lost) {
      const blame = words?.roomId === roomId ? blameOf(words) : undefined;
      room(roomId, epoch, { event: "lost", error: error.toWire(), ...(blame && { blame }) });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#processes].map((process) => process[Symbol.asyncDispose]()));
  }
}

/** The order waited while this agent stood still, or while the rooms' process started: another host may have one, too. */
const tooLate = (roomId: string): CentroidError =>
  new CentroidError("HOST_LOST", `room ${roomId} was ordered under a lease that is over; ask another host`);

/** What a room host answers of a room that it does not know. */
function notHere({ method, roomId }: RoomRequest): unknown {
  switch (method) {
    case "endStandby":
      return {};
    case "migrationStatus":
      return { role: "none", epoch: 0 };
    case "abortMigration":
      // Nothing has arrived here yet, and nothing will: whoever calls a move off must know that.
      return { aborted: false };
    default:
      throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
  }
}
