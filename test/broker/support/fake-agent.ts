/**
 * An edge agent whose every answer the test decides: it speaks the real protocol over a real socket, holds rooms
 * as plain records, and can be told to fail, to be late or to fall silent at any point.
 */
import { once } from "node:events";
import {
  type AgentMethod,
  type AgentRequest,
  type AgentToBroker,
  brokerToAgentSchema,
  CentroidError,
  type MeasureOrder,
  PROTOCOL_VERSION,
  type RoomCount,
  type RoomEvent,
  type RoomQuestion,
  type RoomReport,
  shardOf,
} from "@centroid/protocol";
import { newNonce, prove } from "@centroid/protocol/node";
import { WebSocket } from "ws";

export interface FakeRoom {
  roomId: string;
  name: string;
  epoch: number;
  /** `undecided`: shipped, does not know whether it arrived. */
  role: "owner" | "arriving" | "leaving" | "undecided";
  migrationId?: string;
  locked?: boolean;
  sessions: Map<string, { playerId: string | undefined }>;
  seats: Map<string, string>;
}

/** Hosts of one test, so that a source can reach its destination. */
export type FakeNet = Map<string, FakeAgent>;

type Heartbeat = Extract<AgentToBroker, { type: "heartbeat" }>;
type Script = (request: AgentRequest) => Promise<unknown> | unknown;

export interface FakeAgentOptions {
  url: string;
  token: string;
  hostId: string;
  net: FakeNet;
  latitude?: number;
  longitude?: number;
  capacityRooms?: number;
  costPerHour?: number;
  roomTypes?: string[];
  maxPlayers?: number;
  /** As its heartbeats say. */
  speed?: Heartbeat["speed"];
  /** What its rooms' heavy work costs, as it measures it. */
  work?: RoomReport["work"];
  hello?: Record<string, unknown>;
  /** Where its rooms are reached; nowhere if not given. */
  address?: string;
  answer?: Record<string, unknown>;
  /** Of a host that has a connection to each of several brokers: the same for all of them. */
  rooms?: Map<string, FakeRoom>;
  /** The broker wants to know now who is in these rooms. */
  onTracks?: (gained: (roomId: string) => boolean) => void;
  /** What it says until it is welcomed, as the wire has it. */
  overhear?: (text: string) => void;
}

export class FakeAgent {
  readonly rooms: Map<string, FakeRoom>;
  readonly requests: AgentRequest[] = [];
  /** Heartbeats that were answered. */
  heard = 0;
  /** What its players were asked to measure. */
  readonly measure: MeasureOrder[] = [];
  /** What it was answered when it said that it leaves. */
  readonly evacuating: boolean[] = [];
  /** About which shards the broker decides, as it last said. */
  shards: number[] | undefined;
  /** Somebody there watches all players. */
  everyone = true;
  /** Numbers of the checkpoints that were confirmed. */
  readonly checkpointed: number[] = [];
  /** Saves that were refused, with why. */
  readonly unsaved: { seq: number; code: string }[] = [];
  /** As its last welcome said. */
  leaseMs: number | undefined;
  /** Answers in place of the usual one; return `undefined` to let the usual one through. */
  readonly scripts = new Map<AgentMethod, Script>();
  /** By room: what came with the order for it. */
  readonly grants = new Map<string, { epoch: number; grant: string }>();
  refused: CentroidError | undefined;
  readonly #o: FakeAgentOptions;
  #socket: WebSocket | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #welcome: (() => void) | undefined;
  readonly #answers = new Map<number, (answer: unknown) => void>();
  #asked = 0;

  constructor(options: FakeAgentOptions) {
    this.#o = options;
    this.rooms = options.rooms ?? new Map();
    options.net.set(options.hostId, this);
  }

  get hostId(): string {
    return this.#o.hostId;
  }

  get address(): string {
    return this.#o.address ?? `${this.hostId}.test:1`;
  }

  static async start(options: FakeAgentOptions): Promise<FakeAgent> {
    const agent = new FakeAgent(options);
    await agent.connect();
    return agent;
  }

  async connect(url = this.#o.url): Promise<void> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/agent`);
    this.#socket = socket;
    const welcomed = new Promise<void>((resolve) => {
      this.#welcome = resolve;
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer) => this.#receive(socket, JSON.parse(data.toString())));
    socket.on("close", () => clearInterval(this.#heartbeat));
    await once(socket, "open");
    await Promise.race([welcomed, closed]);
    if (this.refused !== undefined) throw this.refused;
  }

  answer(challenge: string): AgentToBroker {
    const what = { protocol: PROTOCOL_VERSION, hostId: this.hostId, challenge, nonce: newNonce() };
    const { protocol, hostId, nonce } = what;
    const proof = prove(this.#o.token, "agent", what);
    return { type: "answer", protocol, hostId, nonce, proof, ...this.#o.answer };
  }

  hello(): AgentToBroker {
    return {
      type: "hello",
      hostId: this.hostId,
      name: this.hostId,
      latitude: this.#o.latitude ?? 0,
      longitude: this.#o.longitude ?? 0,
      region: "test",
      capacityRooms: this.#o.capacityRooms ?? 1_000_000,
      ...(this.#o.costPerHour !== undefined && { costPerHour: this.#o.costPerHour }),
      carriers: ["process"],
      beaconUrl: `ws://${this.address}/beacon`,
      roomTypes: this.#o.roomTypes ?? ["arena"],
      unsaved: true,
      rooms: [...this.rooms.values()].map((room) => this.report(room)),
      ...this.#o.hello,
    } as AgentToBroker;
  }

  #beat(): AgentToBroker {
    const { app } = this.#o.hello ?? {};
    return {
      type: "heartbeat",
      load: 0.1,
      rssBytes: 1,
      speed: this.#o.speed,
      ...(typeof app === "string" && { app }),
    };
  }

  report(room: FakeRoom): RoomReport {
    return {
      roomId: room.roomId,
      name: room.name,
      carrier: "process",
      epoch: room.epoch,
      processId: `${this.hostId}-1`,
      address: this.address,
      passive: room.role === "arriving",
      ...(this.grants.get(room.roomId)?.epoch === room.epoch && {
        grant: this.grants.get(room.roomId)?.grant,
      }),
      locked: false,
      ...(this.#o.maxPlayers !== undefined && { maxPlayers: this.#o.maxPlayers }),
      ...(this.#o.work !== undefined && { work: this.#o.work }),
      sessions: [...room.sessions].map(([sessionId, { playerId }]) => ({ sessionId, playerId })),
    };
  }

  /** The broker ended the connection. */
  get dropped(): boolean {
    return this.#socket?.readyState === WebSocket.CLOSED;
  }

  /** The connection breaks; rooms go on. */
  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  disconnect(): void {
    clearInterval(this.#heartbeat);
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** The process dies with its rooms. */
  crash(): void {
    this.disconnect();
    this.rooms.clear();
  }

  silence(): void {
    clearInterval(this.#heartbeat);
  }

  /** A player with a seat connects. */
  join(roomId: string, sessionId: string): void {
    const room = this.rooms.get(roomId);
    const playerId = room?.seats.get(sessionId);
    if (room === undefined || playerId === undefined)
      throw new Error(`no seat ${sessionId} at ${this.hostId}`);
    room.seats.delete(sessionId);
    room.sessions.set(sessionId, { playerId });
    this.tell(room, { event: "joined", sessionId, playerId });
  }

  leave(roomId: string, sessionId: string): void {
    const room = this.rooms.get(roomId);
    if (room?.sessions.delete(sessionId) === true) this.tell(room, { event: "left", sessionId });
  }

  /** It wants to know who comes and goes in that room. */
  tracks(roomId: string): boolean {
    return this.everyone || this.shards?.includes(shardOf(roomId)) === true;
  }

  room(message: Extract<AgentToBroker, { type: "room" }>): void {
    this.#send(message);
  }

  counts(rooms: RoomCount[]): void {
    this.#send({ type: "counts", rooms });
  }

  tell(room: FakeRoom, change: RoomEvent): void {
    this.#send({ type: "room", roomId: room.roomId, epoch: room.epoch, change });
  }

  #worked(roomId: string): void {
    const { work } = this.#o;
    setImmediate(() => {
      const room = this.rooms.get(roomId);
      if (work !== undefined && room !== undefined) this.tell(room, { event: "work", ...work });
    });
  }

  /** One of its rooms asks something of the deployment. */
  ask(question: RoomQuestion): Promise<unknown> {
    const requestId = this.#asked++;
    const answered = new Promise((resolve) => this.#answers.set(requestId, resolve));
    this.#send({ type: "asked", requestId, question });
    return answered;
  }

  raw(text: string): void {
    this.#o.overhear?.(text);
    this.#socket?.send(text);
  }

  #send(message: AgentToBroker): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.raw(JSON.stringify(message));
  }

  #receive(socket: WebSocket, raw: unknown): void {
    const message = brokerToAgentSchema.parse(raw);
    switch (message.type) {
      case "challenge":
        this.raw(JSON.stringify(this.answer(message.challenge)));
        return;
      case "accepted":
        this.#send(this.hello());
        return;
      case "welcome":
        this.leaseMs = message.leaseMs;
        this.shards = message.shards;
        this.everyone = message.everyone === true;
        this.#heartbeat = setInterval(() => this.#send(this.#beat()), message.heartbeatIntervalMs);
        this.#send(this.#beat());
        this.#welcome?.();
        return;
      case "heard":
        this.heard++;
        return;
      case "decides": {
        const { shards = [], everyone } = this;
        this.shards = message.shards;
        this.everyone = message.everyone === true;
        this.#o.onTracks?.((roomId) => this.tracks(roomId) && !everyone && !shards.includes(shardOf(roomId)));
        return;
      }
      case "evacuating":
        this.evacuating.push(message.elsewhere);
        return;
      case "measure":
        this.measure.push(message);
        return;
      case "checkpointed":
        this.checkpointed.push(message.seq);
        return;
      case "unsaved":
        this.unsaved.push({ seq: message.seq, code: message.error.code });
        return;
      case "answered":
        this.#answers.get(message.requestId)?.(message.result ?? message.error);
        return;
      case "refused":
        this.refused = CentroidError.fromWire(message.error);
        return;
      case "request": {
        const { requestId, request, grant } = message;
        this.requests.push(request);
        if (grant !== undefined && "epoch" in request)
          this.grants.set(request.roomId, { epoch: request.epoch, grant });
        void this.#answer(request).then(
          (result) => {
            if (socket.readyState === WebSocket.OPEN)
              socket.send(JSON.stringify({ type: "reply", requestId, result }));
          },
          (cause: unknown) => {
            const error = CentroidError.from(cause).toWire();
            if (socket.readyState === WebSocket.OPEN)
              socket.send(JSON.stringify({ type: "reply", requestId, error }));
          },
        );
        return;
      }
    }
  }

  async #answer(request: AgentRequest): Promise<unknown> {
    const scripted = await this.scripts.get(request.method)?.(request);
    return scripted ?? this.usual(request);
  }

  /** What a healthy agent does. */
  async usual(request: AgentRequest): Promise<unknown> {
    const { roomId } = request;
    const room = this.rooms.get(roomId);
    const where = { processId: `${this.hostId}-1`, address: this.address };
    switch (request.method) {
      case "createRoom":
        this.rooms.set(roomId, {
          roomId,
          name: request.name,
          epoch: request.epoch,
          role: "owner",
          sessions: new Map(),
          seats: new Map(request.seat && [[request.seat.sessionId, request.seat.playerId]]),
        });
        this.#worked(roomId);
        return {
          ...where,
          locked: false,
          ...(this.#o.maxPlayers !== undefined && { maxPlayers: this.#o.maxPlayers }),
        };
      case "restoreRoom":
        this.rooms.set(roomId, {
          roomId,
          name: request.name,
          epoch: request.epoch,
          role: "owner",
          sessions: new Map(),
          seats: new Map(),
        });
        return { ...where, locked: false, sessions: [], stateHash: "h" };
      case "reserveSeat": {
        const owned = this.#owned(room, roomId);
        if (owned.locked === true && request.via !== undefined)
          throw new CentroidError("ROOM_LOCKED", "room is locked");
        owned.seats.set(request.sessionId, request.playerId);
        return where;
      }
      case "checkReconnection": {
        const [sessionId] = [...this.#owned(room, roomId).sessions.keys()].filter(
          (id) => id === request.reconnectionToken,
        );
        if (sessionId === undefined) throw new CentroidError("SEAT_EXPIRED", "token is over");
        return { sessionId, ...where };
      }
      case "migrateIn":
        if (room !== undefined) throw new CentroidError("ROOM_MOVING", "here already");
        this.rooms.set(roomId, {
          roomId,
          name: request.name,
          epoch: request.epoch,
          role: "arriving",
          migrationId: request.migrationId,
          sessions: new Map(),
          seats: new Map(),
        });
        return { ...where, transferUrl: `ws://${this.address}/handoff/${request.migrationId}`, ticket: "t" };
      case "migrateOut":
        return this.migrateOut(request);
      case "abortMigration":
        if (room?.role === "arriving" && room.migrationId === request.migrationId) {
          this.rooms.delete(roomId);
          return { aborted: true };
        }
        if (
          (room?.role === "leaving" || room?.role === "undecided") &&
          room.migrationId === request.migrationId
        ) {
          room.role = "owner";
          return { aborted: true };
        }
        return { aborted: false };
      case "migrationStatus": {
        if (room === undefined) return { role: "none", epoch: 0 };
        const owner = room.role === "owner" || room.role === "leaving";
        return { role: owner ? "owner" : "passive", epoch: room.epoch };
      }
      case "disposeRoom":
        if (room === undefined) return {};
        if (request.epoch < room.epoch) throw new CentroidError("STALE_EPOCH", "newer here");
        this.rooms.delete(roomId);
        if (request.epoch === room.epoch && room.role === "owner") this.tell(room, { event: "disposed" });
        return {};
      case "warmUp":
        return {};
      case "kick":
        this.leave(roomId, request.sessionId);
        return {};
      case "setLocked": {
        const owned = this.#owned(room, roomId);
        owned.locked = request.locked;
        this.tell(owned, { event: "listing", locked: request.locked });
        return { locked: request.locked };
      }
      case "message":
        return { receivers: this.#owned(room, roomId).sessions.size };
      case "inspect":
        return {
          state: { epoch: this.#owned(room, roomId).epoch },
          sessions: [...(room?.sessions.keys() ?? [])],
          clockMs: 1,
        };
    }
  }

  /** The hand-off, step by step; `at` can stop it anywhere. */
  async migrateOut(
    request: Extract<AgentRequest, { method: "migrateOut" }>,
    at: (step: "begun" | "copied" | "shipped" | "accepted" | "released") => Promise<void> | void = () =>
      undefined,
  ): Promise<unknown> {
    const { roomId, migrationId } = request;
    const room = this.#owned(this.rooms.get(roomId), roomId);
    if (room.role === "leaving") throw new CentroidError("ROOM_MOVING", "being moved already");
    room.role = "leaving";
    room.migrationId = migrationId;
    /** Still this move, as far as it had come; another one may have begun meanwhile. */
    const still = (role: FakeRoom["role"]): boolean =>
      this.rooms.get(roomId) === room && room.role === role && room.migrationId === migrationId;
    const back = (message: string): never => {
      if (still("leaving")) room.role = "owner";
      throw new CentroidError("MIGRATION_FAILED", message);
    };
    await at("begun");
    if (!still("leaving")) return back("called off");
    this.tell(room, { event: "phase", migrationId, phase: "copying", bytes: 10 });
    await at("copied");
    if (!still("leaving")) return back("called off");
    const there = this.#o.net.get(request.destination.hostId);
    const arriving = there?.rooms.get(roomId);
    if (arriving?.role !== "arriving" || arriving.migrationId !== migrationId)
      return back("destination is away");
    // From here on it cannot know, until it hears.
    room.role = "undecided";
    await at("shipped");
    if (!still("undecided") || there?.rooms.get(roomId) !== arriving)
      throw new CentroidError("MIGRATION_FAILED", "no answer from the destination");
    arriving.role = "owner";
    arriving.sessions = new Map(room.sessions);
    arriving.seats = new Map(room.seats);
    there.tell(arriving, { event: "owned", migrationId });
    await at("accepted");
    if (this.rooms.get(roomId) === room) this.rooms.delete(roomId);
    for (const sessionId of arriving.sessions.keys()) {
      there.tell(arriving, {
        event: "report",
        migrationId,
        sessionId,
        gapMs: 52,
        patchRateMs: 50,
        lost: 0,
        duplicated: 0,
      });
    }
    await at("released");
    return {
      bytes: 100,
      rounds: 1,
      phases: [{ phase: "copying", atMs: 1, durationMs: 1 }],
      stateHashBefore: "h",
      stateHashAfter: "h",
    };
  }

  #owned(room: FakeRoom | undefined, roomId: string): FakeRoom {
    if (room === undefined)
      throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on ${this.hostId}`);
    if (room.role !== "owner" && room.role !== "leaving")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is being moved`);
    return room;
  }
}
