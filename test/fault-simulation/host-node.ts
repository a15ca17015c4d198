/** A machine of a simulated world that runs rooms: the real agent, its real carrier, and the real room host behind it. */
import { EventEmitter } from "node:events";
import type { AgentRequest, RoomEvent, WireError } from "@centroid/protocol";
import { AGENT_TOKEN, agentUrl } from "./broker-node.js";
import type { Buggify } from "./buggify.js";
import type { Happening } from "./history.js";
import { type Ledger, ledger } from "./ledger.js";
import type { Network } from "./network.js";
import type { Program } from "./program.js";
import { type Scheduler, SimProcess } from "./scheduler.js";
import { serverSocket } from "./socket.js";
import type { Run } from "./surroundings.js";

/** A room host loads its rooms. */
const LOAD_MS = 150;
const SLOW_LOAD_MS = 3_000;
/** Between an agent and its room host. */
const PIPE_MS = 0.1;
/** As room-host's own entry point has them. */
const ALIVE_INTERVAL_MS = 500;
const USAGE_INTERVAL_MS = 1_000;
/** A supervisor starts an agent again that has ended by itself. */
const RESTART_MS = 500;

export interface HostNodeOptions {
  hostId: string;
  longitude: number;
  /** Their machines. */
  brokers: readonly string[];
  agent: Program<"agent">;
  roomHost: Program<"roomHost">;
  network: Network;
  run: Omit<Run, "process">;
  buggify: Buggify;
  record: (happening: Happening) => void;
  nextLife: () => number;
}

/** From a room host to its agent. */
type Tell = (message: unknown, withinMs?: number) => void;
type RoomHost = InstanceType<Program<"roomHost">["product"]["RoomHost"]>;

/** A forked room host as its agent sees it. */
class Child extends EventEmitter {
  readonly pid = 1;
  /** It has no pipes. */
  readonly stdio: readonly undefined[] = [];
  exitCode: number | null = null;
  signalCode: string | null = null;
  readonly #deliver: (message: unknown) => void;
  readonly #end: () => void;

  constructor(deliver: (message: unknown) => void, end: () => void) {
    super();
    this.#deliver = deliver;
    this.#end = end;
  }

  send(message: unknown, done: (cause: Error | null) => void): void {
    this.#deliver(message);
    done(null);
  }

  kill(): void {
    this.#end();
  }
}

export class HostNode {
  readonly hostId: string;
  readonly agent: SimProcess;
  readonly rooms: SimProcess;
  /** Rooms of the room host that runs now, by id: the last one made. */
  readonly ledgers = new Map<string, Ledger>();
  roomHost: RoomHost | undefined;
  readonly #o: HostNodeOptions;
  readonly #scheduler: Scheduler;
  readonly #restoring = new Set<string>();
  #child: Child | undefined;

  constructor(options: HostNodeOptions) {
    this.#o = options;
    this.#scheduler = options.run.scheduler;
    this.hostId = options.hostId;
    this.agent = new SimProcess(`agent of ${options.hostId}`, options.hostId);
    this.rooms = new SimProcess(options.hostId, options.hostId);
  }

  start(): void {
    const { agent, run, record } = this.#o;
    this.#scheduler.start(this.agent);
    agent.run = { ...run, process: this.agent, fork: (...[, , { env }]) => this.#fork(env) };
    const { Agent, agentConfigSchema, ProcessCarrier } = agent.product;
    const config = agentConfigSchema.parse({
      brokerUrls: this.#o.brokers.map(agentUrl),
      token: AGENT_TOKEN,
      hostId: this.hostId,
      name: this.hostId,
      latitude: 0,
      longitude: this.#o.longitude,
      bindHost: this.hostId,
      roomsBundle: "ledger",
      roomTypes: ["ledger", "vault"],
      checkpointIntervalMs: 500,
      maxFramesPerSecond: 0,
      maxBytesPerSecond: 0,
    });
    const { hostId, bindHost } = config;
    const made = new Agent({
      config,
      carriers: (events) => [
        new ProcessCarrier({ ...config, environment: {}, advertiseHost: bindHost, events }),
      ],
      notice: (line) => record({ type: "note", text: `${hostId}: ${line}` }),
      onRefused: ({ message }) => {
        record({ type: "note", text: `${hostId} was refused and ends: ${message}` });
        this.crash(false);
        this.#scheduler.after(RESTART_MS, undefined, () => {
          if (!this.agent.alive) this.start();
        });
      },
      onConnected: () => undefined,
      onBroker: () => undefined,
    });
    void made.start();
  }

  /** @param silent the machine is off: no system is left that would close its connections */
  crash(silent: boolean): void {
    this.#end(this.agent, silent);
    this.#end(this.rooms, silent);
    this.#child = undefined;
  }

  crashRooms(): void {
    const child = this.#child;
    if (!this.rooms.alive || child === undefined) return;
    this.#end(this.rooms, false);
    this.#child = undefined;
    child.signalCode = "SIGKILL";
    this.#scheduler.after(PIPE_MS, this.agent, () => child.emit("exit", null, "SIGKILL"));
  }

  /** Rooms that run here, and not just on their way. */
  running(): string[] {
    if (!this.rooms.alive) return [];
    return (this.roomHost?.reports() ?? []).filter(({ passive }) => !passive).map(({ roomId }) => roomId);
  }

  #end(process: SimProcess, silent: boolean): void {
    if (process === this.rooms) {
      this.roomHost = undefined;
      this.ledgers.clear();
    }
    if (!process.alive) return;
    this.#o.network.ended(process, silent);
    this.#scheduler.end(process);
  }

  #fork(env: Record<string, string>): Child {
    this.#scheduler.start(this.rooms);
    this.#early = [];
    const { life } = this.rooms;
    const { batched, MessageBatch, unbatched } = this.#o.roomHost.product;
    const deliver = (raw: unknown): void => {
      this.#scheduler.after(PIPE_MS, this.rooms, () => {
        for (const message of unbatched(raw)) this.#hear(message, tell);
      });
    };
    const child = new Child(deliver, () => {
      if (this.rooms.life === life) this.crashRooms();
    });
    this.#child = child;
    const outbox = new MessageBatch((messages) => {
      this.#scheduler.after(PIPE_MS, this.agent, () => child.emit("message", batched(messages)));
    });
    const tell: Tell = (message, withinMs) => outbox.send(message, withinMs);
    const slowMs = this.#o.buggify("room host: slow to load", 0.5) ? SLOW_LOAD_MS : 0;
    this.#scheduler.after(LOAD_MS + slowMs, this.rooms, () => void this.#load(env, tell));
    return child;
  }

  /** What the room host's own entry point does, on the simulated pipe and network. */
  async #load(env: Record<string, string>, tell: Tell): Promise<void> {
    const { roomHost, run, network, record } = this.#o;
    const { rooms: process, hostId } = this;
    const { life } = process;
    roomHost.run = { ...run, process };
    const { product } = roomHost;
    const { processId, checkpointIntervalMs } = JSON.parse(env.CENTROID_ROOM_HOST ?? "{}") as {
      processId: string;
      checkpointIntervalMs: number;
    };
    const where = (roomId: string) => ({
      roomId,
      host: `${hostId}#${life}`,
      life: this.ledgers.get(roomId)?.life ?? 0,
    });
    const at = { host: `${hostId}#${life}` };
    const events = {
      created: (roomId: string, room: Ledger): number => {
        this.ledgers.set(roomId, room);
        return this.#o.nextLife();
      },
      ticked: (roomId: string, life: number, number: number) =>
        record({ type: "tick", roomId, ...at, life, number }),
      applied: (roomId: string, life: number, sessionId: string, number: number) =>
        record({ type: "applied", roomId, ...at, life, sessionId, number }),
    };
    const bus = new product.PresenceBus(() => undefined);
    const types = await product.RoomTypes.define(
      { ledger: ledger(product.Room, events, false), vault: ledger(product.Room, events, true) },
      bus,
    );
    const address = `${hostId}:${1_000 + life}`;
    let tickets = 0;
    const host = new product.RoomHost({
      processId,
      address,
      types,
      newTicket: () => `${hostId}-${life}-${tickets++}`,
      emit: (roomId, epoch, change) => {
        if (change.event === "running")
          record({
            type: "owner",
            ...where(roomId),
            epoch,
            restored: this.#restoring.has(`${roomId} ${epoch}`),
          });
        tell({ type: "room", roomId, epoch, change: plain(change) }, product.mayWaitMs(change));
      },
      compareIntervalMs: 0,
      checkpoints: {
        intervalMs: checkpointIntervalMs,
        save: (roomId, epoch, saved, withinMs) =>
          tell({ type: "checkpoint", roomId, epoch, ...saved }, withinMs),
      },
      maxFramesPerSecond: 0,
      maxBytesPerSecond: 0,
      notice: (line) => record({ type: "note", text: `${hostId}: ${line}` }),
      mayRun: () => lease.holds(),
      now: () => this.#scheduler.nowMs,
    });
    const lease = new product.Lease({
      onExpired: () => host.pause(),
      onLapsed: () => host.callOffBuilds(),
      onRenewed: () => host.goOn(),
    });
    this.#lease = lease;
    this.roomHost = host;
    network.listen(address, process, (socket, { pathname, searchParams }) =>
      host.accept({
        socket: serverSocket(socket),
        path: pathname,
        query: searchParams,
        context: { headers: new Headers(), ip: "" } as never,
      }),
    );
    this.#every(ALIVE_INTERVAL_MS, () => host.keepAlive());
    this.#every(USAGE_INTERVAL_MS, () => tell({ type: "usage", cpuMicros: 0, rssBytes: 0 }, product.NEWS_MS));
    for (const message of this.#early.splice(0)) this.#hear(message, tell);
    tell({ type: "ready", address, transport: "ws", roomTypes: types.names });
  }

  /** What the agent said before the room host had loaded: a pipe keeps it. */
  #early: unknown[] = [];
  #lease: InstanceType<Program<"roomHost">["product"]["Lease"]> | undefined;

  #every(ms: number, run: () => void): void {
    this.#scheduler.after(ms, this.rooms, () => {
      run();
      this.#every(ms, run);
    });
  }

  #hear(raw: unknown, tell: Tell): void {
    const host = this.roomHost;
    if (host === undefined) {
      this.#early.push(raw);
      return;
    }
    const message = raw as {
      leaseUntilMs?: number;
      lapsed?: boolean;
      checkpointed?: { roomId: string; epoch: number; seq: number };
      unsaved?: { roomId: string; epoch: number; seq: number; error: WireError };
      requestId?: number;
      request?: AgentRequest;
      reports?: true;
    };
    const { requestId, request } = message;
    if (message.leaseUntilMs !== undefined) this.#lease?.renew(message.leaseUntilMs, message.lapsed === true);
    else if (message.checkpointed !== undefined) {
      const { roomId, epoch, seq } = message.checkpointed;
      host.checkpointed(roomId, epoch, seq);
    } else if (message.unsaved !== undefined) {
      const { roomId, epoch, seq, error } = message.unsaved;
      host.unsaved(roomId, epoch, seq, this.#o.roomHost.product.protocol.CentroidError.fromWire(error));
    } else if (message.reports === true) tell({ type: "reply", requestId, result: host.reports() });
    else if (request !== undefined) {
      if (request.method === "restoreRoom") this.#restoring.add(`${request.roomId} ${request.epoch}`);
      host.handle(request).then(
        (result) => tell({ type: "reply", requestId, result }),
        (cause: unknown) => {
          const error = this.#o.roomHost.product.protocol.CentroidError.from(cause).toWire();
          tell({ type: "reply", requestId, error });
        },
      );
    }
  }
}

/** As it is after a pipe: nobody changes it any more. */
const plain = (change: RoomEvent): RoomEvent => structuredClone(change);
