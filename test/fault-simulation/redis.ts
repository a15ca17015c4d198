/**
 * The Redis of a deployment of several brokers: one machine that never ends, over the simulated network. The brokers'
 * cluster is the product's own; what its scripts do is done here, by the simulated clock.
 */
import { type Cluster, MemoryStore, type Store } from "@centroid/broker";
import type { Network } from "./network.js";
import type { Parts } from "./product.js";
import { type Scheduler, SimProcess } from "./scheduler.js";
import type { SimSocket } from "./socket.js";

const URL = "ws://redis:1";
const REDIAL_MS = 100;
/** As the product's own client. */
const COMMAND_TIMEOUT_MS = 2_000;
/** Writes that only the holder of the room's shard may make. */
const FENCED: ReadonlySet<string> = new Set(["putRoom", "nextEpoch", "journal", "closeMigration"]);

type Operation = () => unknown;
type Reply = { result: unknown } | { error: { code?: unknown; message: string } };

interface Holding {
  holder: string;
  token: string;
}

export class SimRedis {
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #process = new SimProcess("redis", "redis");
  readonly #memory = new MemoryStore();
  /** Brokers by id, with until when they have a lease. */
  readonly #members = new Map<string, { url: string; untilMs: number }>();
  readonly #shards = new Map<number, Holding>();
  readonly #subscribers = new Set<SimSocket>();
  /** What is asked is not written out: only its number goes over the network. */
  readonly #operations = new Map<number, Operation>();
  readonly #replies = new Map<number, Reply>();
  #asked = 0;

  constructor(scheduler: Scheduler, network: Network) {
    this.#scheduler = scheduler;
    this.#network = network;
  }

  start(): void {
    this.#scheduler.start(this.#process);
    this.#network.listen("redis:1", this.#process, (socket) => {
      socket.on("message", (data: Buffer | string) => void this.#receive(socket, String(data)));
      socket.on("close", () => this.#subscribers.delete(socket));
      socket.on("error", () => undefined);
    });
  }

  /** What is there, whoever can reach it. */
  get store(): Store {
    return this.#memory;
  }

  /** As a broker that starts now has it. */
  open(process: SimProcess, product: Parts["broker"]): { store: Store; cluster: Cluster } {
    const { RedisCluster, protocol } = product;
    const commands = this.#client(process, product);
    let hear = (_text: string): void => undefined;
    const connection = {
      get isReady() {
        return commands.isReady();
      },
      key: (prefix: string, name: string) => prefix + name,
      script: ({ args }: { args: readonly string[] }) => {
        const given = [...args];
        return commands.call(() => this.#script(given));
      },
      commands: {
        publish: (_channel: string, text: string) =>
          commands.call(() => {
            for (const socket of this.#subscribers) socket.send(`!${text}`);
            return this.#subscribers.size;
          }),
      },
      subscribe: async (_channel: string, listener: (text: string) => void) => {
        hear = listener;
        await this.#client(process, product, (text) => hear(text)).call(() => undefined);
      },
      destroy: async () => undefined,
    };
    const logger = { debug() {}, info() {}, warn() {}, error() {} } as never;
    // Its constructor is the class' own: real ones connect first.
    const Made = RedisCluster as unknown as new (options: object, redis: object) => Cluster;
    const cluster = new Made({ url: "", logger }, connection);
    const store = new Proxy({} as Store, {
      get: (_target, name) => {
        if (name === Symbol.asyncDispose) return async () => undefined;
        if (typeof name !== "string" || name === "then") return undefined;
        return (...args: unknown[]) => {
          const [first, create] = args;
          const roomId = String(typeof first === "string" ? first : (first as { roomId?: string })?.roomId);
          const fence = FENCED.has(name)
            ? { shard: protocol.shardOf(roomId), token: cluster.tokenOf(roomId) }
            : undefined;
          const fresh = name === "secret" ? (create as () => string)() : "";
          const given = name === "secret" ? [first, () => fresh] : structuredClone(args);
          return commands.call(() => {
            if (fence !== undefined && this.#shards.get(fence.shard)?.token !== fence.token)
              throw Object.assign(new Error(`another broker decides about room ${roomId}`), {
                code: "STALE_EPOCH",
              });
            return (Reflect.get(this.#memory, name) as (...args: unknown[]) => unknown).apply(
              this.#memory,
              given,
            );
          });
        };
      },
    });
    return { store, cluster };
  }

  async #receive(socket: SimSocket, text: string): Promise<void> {
    if (text === "subscribe") {
      this.#subscribers.add(socket);
      return;
    }
    const id = Number(text);
    const operation = this.#operations.get(id);
    this.#operations.delete(id);
    if (operation === undefined) return;
    try {
      this.#replies.set(id, { result: structuredClone(await operation()) });
    } catch (cause) {
      const { code, message } = cause as { code?: unknown; message: string };
      this.#replies.set(id, { error: { code, message } });
    }
    socket.send(text);
  }

  /** One connection, dialled again whenever it breaks. */
  #client(process: SimProcess, { protocol }: Parts["broker"], onMessage?: (text: string) => void) {
    const pending = new Map<number, { resolve: (result: unknown) => void; reject: (cause: Error) => void }>();
    const { life } = process;
    let waiting: number[] = [];
    let socket: SimSocket;
    const dial = (): void => {
      if (process.life !== life) return;
      socket = this.#network.dial(process, URL);
      socket.on("open", () => {
        if (onMessage !== undefined) socket.send("subscribe");
        for (const id of waiting.splice(0)) socket.send(String(id));
      });
      socket.on("message", (data: Buffer | string) => {
        const text = String(data);
        if (text.startsWith("!")) onMessage?.(text.slice(1));
        else settle(Number(text));
      });
      socket.on("error", () => undefined);
      socket.on("close", () => {
        waiting = [];
        for (const { reject } of pending.values()) reject(new Error("Socket closed unexpectedly"));
        pending.clear();
        this.#network.later(REDIAL_MS, process, dial);
      });
    };
    const settle = (id: number): void => {
      const reply = this.#replies.get(id);
      this.#replies.delete(id);
      const asked = pending.get(id);
      pending.delete(id);
      if (asked === undefined || reply === undefined) return;
      if ("result" in reply) asked.resolve(reply.result);
      else if (typeof reply.error.code === "string")
        asked.reject(new protocol.CentroidError(reply.error.code as never, reply.error.message));
      else asked.reject(new Error(reply.error.message));
    };
    dial();
    return {
      isReady: () => socket.readyState === socket.OPEN,
      call: (operation: Operation): Promise<unknown> =>
        new Promise((resolve, reject) => {
          const id = ++this.#asked;
          this.#operations.set(id, operation);
          pending.set(id, { resolve, reject });
          this.#network.later(COMMAND_TIMEOUT_MS, process, () => {
            if (pending.delete(id))
              reject(new protocol.CentroidError("STORE_UNAVAILABLE", "Redis has not replied in time"));
          });
          if (socket.readyState === socket.OPEN) socket.send(String(id));
          else waiting.push(id);
        }),
    };
  }

  /** The cluster's scripts are told apart by how much they are given. */
  #script(args: readonly string[]): unknown {
    const [me = "", second = ""] = args;
    switch (args.length) {
      case 0:
        return this.#living();
      case 2:
        this.#members.delete(me);
        for (const holding of this.#shards.values()) if (holding.holder === me) holding.holder = "";
        return 0;
      default:
        return this.#refresh(me, second, args);
    }
  }

  #living(): string[] {
    const { nowMs } = this.#scheduler;
    return [...this.#members]
      .filter(([, { untilMs }]) => untilMs > nowMs)
      .map(([brokerId, { url }]) => JSON.stringify({ brokerId, url }));
  }

  #refresh(
    me: string,
    url: string,
    [, , leaseMs, shards, wants = "", token = ""]: readonly string[],
  ): unknown {
    const { nowMs } = this.#scheduler;
    for (const [id, { untilMs }] of this.#members) if (untilMs <= nowMs) this.#members.delete(id);
    this.#members.set(me, { url, untilMs: nowMs + Number(leaseMs) });
    const wanted = new Set(wants.split(",").map(Number));
    const dealt: [string, string][] = [];
    for (let shard = 0; shard < Number(shards); shard++) {
      const holding = this.#shards.get(shard) ?? { holder: "", token: "" };
      this.#shards.set(shard, holding);
      const isFree = holding.holder === "" || !this.#members.has(holding.holder);
      if (holding.holder === me && !(wants !== "" && wanted.has(shard))) holding.holder = "";
      else if (isFree && wants !== "" && wanted.has(shard)) Object.assign(holding, { holder: me, token });
      dealt.push([this.#members.has(holding.holder) ? holding.holder : "", holding.token]);
    }
    return [this.#living(), dealt];
  }
}
