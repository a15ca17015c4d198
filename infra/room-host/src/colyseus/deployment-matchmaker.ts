/**
 * Colyseus' match maker inside a room sees the whole deployment: rooms are looked up, made and called through the broker,
 * wherever they are. Uses what Colyseus has for several processes: a driver, a presence, a choice of process.
 */
import { CentroidError, type RoomQuestion, type RoomRow, roomRowSchema } from "@centroid/protocol";
import {
  type IRoomCache,
  LocalDriver,
  LocalPresence,
  type MatchMakerDriver,
  type SortOptions,
} from "@colyseus/core";
import { z } from "zod";
import { presenceKeys } from "./presence-keys.js";
import type { PresenceBus } from "./room-presence.js";

/** How this process reaches the others. */
export interface DeploymentAccess {
  /** Where players reach this process. */
  address: string;
  ask: (question: RoomQuestion) => Promise<unknown>;
}

/** The process in which Colyseus believes rooms are made. */
export const DEPLOYMENT = "deployment";
const LOBBY = "$lobby";
/** Colyseus' IpcProtocol. */
const SUCCESS = 0;
const FAILURE = 1;

type Conditions = Partial<IRoomCache>;

/** Keeps this process's own rooms, and finds those of all. */
export class DeploymentDriver implements MatchMakerDriver {
  readonly #own = new LocalDriver();
  readonly #deployment: DeploymentAccess;

  constructor(deployment: DeploymentAccess) {
    this.#deployment = deployment;
  }

  has(roomId: string): boolean {
    return this.#own.has(roomId);
  }

  async query(conditions: Conditions, sortOptions?: SortOptions): Promise<IRoomCache[]> {
    const { roomId, name } = conditions;
    const all = new LocalDriver();
    all.rooms = await this.#rooms({
      ...(roomId !== undefined && { roomIds: [roomId] }),
      ...(name !== undefined && { name }),
    });
    return all.query(conditions, sortOptions);
  }

  async findOne(conditions: Conditions, sortOptions?: SortOptions): Promise<IRoomCache> {
    const own = this.#own.rooms.find(({ roomId }) => roomId === conditions.roomId);
    const asked = this.query(conditions, sortOptions);
    // A room of this process is there before a broker has heard of it; only brokers know where players dial.
    const [first = own] = own === undefined ? await asked : await asked.catch(() => []);
    return first as IRoomCache;
  }

  async findByIds(roomIds: string[]): Promise<Map<string, IRoomCache>> {
    const rooms = await this.#rooms({ roomIds });
    return new Map(rooms.map((room) => [room.roomId, room]));
  }

  update(...args: Parameters<LocalDriver["update"]>): boolean {
    return this.#own.update(...args);
  }

  persist(room: IRoomCache, create?: boolean): boolean {
    return this.#own.persist(room, create);
  }

  insert(room: IRoomCache): Promise<boolean> {
    return this.#own.insert(room);
  }

  remove(roomId: string): boolean {
    return this.#own.remove(roomId);
  }

  clear(): void {
    this.#own.clear();
  }

  shutdown(): void {}

  async #rooms(which: { roomIds?: string[]; name?: string }): Promise<IRoomCache[]> {
    const rows = z.array(roomRowSchema).parse(await this.#deployment.ask({ method: "rooms", ...which }));
    return rows.map(asCache);
  }
}

function asCache({ maxClients, createdAtMs, ...row }: RoomRow): IRoomCache {
  return {
    metadata: undefined,
    ...row,
    maxClients: maxClients ?? Number.POSITIVE_INFINITY,
    createdAt: new Date(createdAtMs),
  } as IRoomCache;
}

/** Keys that Colyseus itself, and its package for accounts, keeps per process. */
const OWN_KEYS = /^(roomcount$|roomhistory$|ch:|swept:|colyseus:|reset-password:)/;

/** What one Colyseus process asks of another goes to the broker; the lobby's news to all processes. */
export class DeploymentPresence extends LocalPresence {
  readonly #deployment: DeploymentAccess;
  readonly #bus: PresenceBus;

  constructor(deployment: DeploymentAccess, bus: PresenceBus) {
    super();
    this.#deployment = deployment;
    this.#bus = bus;
    const shared = presenceKeys({ ask: deployment.ask, mayChange: () => true });
    for (const [name, ask] of Object.entries(shared) as [string, (...args: unknown[]) => unknown][]) {
      const own = Reflect.get(this, name) as typeof ask;
      const either = (...args: unknown[]): unknown =>
        OWN_KEYS.test(String(args[0])) ? own.apply(this, args) : ask(...args);
      Object.defineProperty(this, name, { value: either });
    }
  }

  override async subscribe(topic: string, callback: (data: unknown) => void): Promise<Awaited<this>> {
    if (topic !== LOBBY) return super.subscribe(topic, callback);
    this.#bus.add(topic, callback);
    return this as Awaited<this>;
  }

  override unsubscribe(topic: string, callback?: (data: unknown) => void): this {
    if (topic !== LOBBY) return super.unsubscribe(topic, callback);
    if (callback !== undefined) this.#bus.remove(topic, callback);
    return this;
  }

  override publish(topic: string, data: unknown): this {
    // Who hears it asks the broker about the room, which has to know of it by then.
    if (topic === LOBBY) setImmediate(() => this.#bus.publish(topic, data));
    else if (topic === `p:${DEPLOYMENT}`) void this.#answer(data, createQuestion);
    else if (topic.startsWith("$"))
      void this.#answer(data, (method, args) => ({
        method: "callRoom",
        roomId: topic.slice(1),
        member: String(method),
        ...(args !== undefined && args !== null && { args: [...(args as unknown[])] }),
      }));
    else super.publish(topic, data);
    return this;
  }

  async #answer(data: unknown, question: (method: unknown, args: unknown) => RoomQuestion): Promise<void> {
    const [method, requestId, args] = data as [unknown, string, unknown];
    const reply = (code: number, answer: unknown): void =>
      void super.publish(`ipc:${requestId}`, [code, answer]);
    try {
      const asked = question(method, args);
      const answer = await this.#deployment.ask(asked);
      reply(SUCCESS, asked.method === "createRoom" ? asCache(roomRowSchema.parse(answer)) : answer);
    } catch (cause) {
      reply(FAILURE, CentroidError.from(cause).message);
    }
  }
}

function createQuestion(_: unknown, args: unknown): RoomQuestion {
  const [name, options] = args as [string, unknown];
  return { method: "createRoom", name, options: options ?? {} };
}
