/** The broker of a simulated world: the real one on a simulated disk, started again after each crash. */

import type { Cluster, Store } from "@centroid/broker";
import type { Network } from "./network.js";
import type { Parts } from "./product.js";
import type { Program, Served } from "./program.js";
import { type Scheduler, SimProcess } from "./scheduler.js";
import type { SimSocket } from "./socket.js";
import type { Run } from "./surroundings.js";

export const AGENT_TOKEN = "agent-token";
const addressOf = (machine: string): string => `${machine}:1`;
export const agentUrl = (machine: string): string => `ws://${addressOf(machine)}`;

/** Where a broker keeps what outlives it, and with whom it shares that. */
export interface Storage {
  open(process: SimProcess, product: Parts["broker"]): Promise<{ store: Store; cluster?: Cluster }>;
  /** A process that had it open has ended. */
  crashed(): void;
}

/** What players and operators ask of a broker; over HTTP in the product. */
export type Call =
  | { method: "match"; how: "create" | "joinById"; target: string }
  | { method: "where"; roomId: string }
  | { method: "move"; roomId: string; hostId: string };

export class BrokerNode {
  readonly process: SimProcess;
  served: Served | undefined;
  #broker: AsyncDisposable | undefined;
  #cluster: Cluster | undefined;
  readonly #program: Program<"broker">;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #storage: Storage;
  readonly #run: Omit<Run, "process">;
  readonly #note: (text: string) => void;

  constructor(
    machine: string,
    program: Program<"broker">,
    network: Network,
    storage: Storage,
    run: Omit<Run, "process">,
    note: (text: string) => void,
  ) {
    this.process = new SimProcess(machine, machine);
    this.#program = program;
    this.#scheduler = run.scheduler;
    this.#network = network;
    this.#storage = storage;
    this.#run = run;
    this.#note = note;
  }

  /** It ends as it was told to, and a supervisor starts it after that. */
  #ending = false;
  #startsAgain = false;

  start(): void {
    const { process } = this;
    this.#scheduler.start(process);
    const { life } = process;
    this.#program.run = { ...this.#run, process, serve: (served) => this.#serve(served) };
    const say = ({ cause, ...about }: Record<string, unknown>, text: string): void => {
      const details = Object.entries(about).map(([name, value]) => `, ${name} ${JSON.stringify(value)}`);
      const because = cause === undefined ? "" : ` (${String(cause)})`;
      this.#note(`${process.name}: ${text}${details.join("")}${because}`);
    };
    const logger = { debug() {}, info() {}, warn: say, error: say };
    void this.#storage
      .open(process, this.#program.product)
      .then(({ store, cluster }) => {
        this.#cluster = cluster;
        return process.life === life
          ? this.#program.product.startBroker({
              store,
              ...(cluster !== undefined && { cluster, clusterUrl: "http://nobody:1" }),
              logger: logger as never,
              autoMove: false,
              agentToken: AGENT_TOKEN,
              adminToken: "admin",
              viewerToken: "viewer",
            })
          : undefined;
      })
      .then((broker) => {
        if (process.life === life) this.#broker = broker;
      })
      .catch((cause: unknown) => {
        if (process.life !== life) return;
        this.#note(`${process.name} does not start: ${String(cause)}`);
        this.#scheduler.after(1_000, undefined, () => {
          if (process.life === life) this.start();
        });
      });
  }

  /** True if it decides about the room. */
  owns(roomId: string): boolean {
    return this.#cluster?.owns(roomId) ?? this.#broker !== undefined;
  }

  /** As told to, by a signal; what it still has to do then it does within moments. */
  end(): void {
    const { process } = this;
    const { life } = process;
    if (!process.alive || this.#broker === undefined) return;
    const broker = this.#broker;
    this.#ending = true;
    const cluster = this.#cluster;
    const ended = broker[Symbol.asyncDispose]().then(() => cluster?.[Symbol.asyncDispose]());
    void ended.then(() => {
      if (process.life === life) this.crash();
    });
  }

  /** A supervisor starts it, once what is left of it has ended. */
  comeBack(): void {
    if (!this.process.alive) this.start();
    else this.#startsAgain = this.#ending;
  }

  crash(): void {
    if (!this.process.alive) return;
    const startsAgain = this.#startsAgain;
    this.#ending = false;
    this.#startsAgain = false;
    this.served = undefined;
    this.#broker = undefined;
    this.#network.ended(this.process, false);
    this.#scheduler.end(this.process);
    this.#storage.crashed();
    if (startsAgain) this.start();
  }

  #serve(served: Served): void {
    this.served = served;
    this.#network.listen(addressOf(this.process.machine), this.process, (socket, { pathname }) => {
      if (pathname === "/agent") {
        const tcp = {
          remoteAddress: socket.peer.machine,
          bytesRead: 0,
          on() {},
          off() {},
          cork() {},
          uncork() {},
        };
        served.agents.emit("connection", socket, { socket: tcp });
      } else this.#answer(socket, served);
    });
  }

  #answer(socket: SimSocket, served: Served): void {
    socket.on("message", (text: string) => {
      const { id, call } = JSON.parse(text) as { id: number; call: Call };
      handle(served, call, this.#cluster).then(
        (result) => socket.send(JSON.stringify({ id, result })),
        (cause: Error) => socket.send(JSON.stringify({ id, error: cause.message })),
      );
    });
  }
}

/** Joins of the simulation are not asked for over HTTP. */
const NOBODY = { authToken: undefined, request: undefined };

async function handle({ client, operator }: Served, call: Call, cluster?: Cluster): Promise<unknown> {
  switch (call.method) {
    case "match":
      return client.matchmaker.match(call.how, call.target, {}, NOBODY, "players", undefined);
    case "move":
      // Which would be told over HTTP.
      if (cluster?.owns(call.roomId) === false) throw new Error("another broker decides");
      return operator.moveOrders.order(call.roomId, { hostId: call.hostId });
    case "where": {
      const { stage, epoch } = client.rooms.require(call.roomId);
      if (!("at" in stage)) throw new Error(`room ${call.roomId} is ${stage.state}`);
      const { hostId, name, latitude, longitude } = client.hosts.require(stage.hostId).facts;
      const { address, processId } = stage.at;
      const restoring = stage.state === "restoring";
      const at = { publicAddress: address, processId, epoch, restoring };
      return { ...at, host: { hostId, name, latitude, longitude } };
    }
    default: {
      const never: never = call;
      throw new Error(`unknown call ${JSON.stringify(never)}`);
    }
  }
}

/** One question to one broker after the other, until one answers it. @throws Error what the last one said */
export async function ask<T>(
  network: Network,
  process: SimProcess,
  machines: readonly string[],
  call: Call,
  timeoutMs?: number,
): Promise<T> {
  let failure = new Error("there is no broker");
  for (const machine of machines) {
    try {
      return await askOne(network, process, machine, call, timeoutMs);
    } catch (cause) {
      failure = cause as Error;
    }
  }
  throw failure;
}

/** One question over a connection of its own. @throws Error as answered, or if none came */
async function askOne<T>(
  network: Network,
  process: SimProcess,
  machine: string,
  call: Call,
  timeoutMs = 5_000,
): Promise<T> {
  const socket = network.dial(process, `${agentUrl(machine)}/call`);
  const answer = new Promise<T>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the broker went away")));
    socket.on("message", (text: string) => {
      const { result, error } = JSON.parse(text) as { result: T; error?: string };
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    network.later(timeoutMs, process, () => reject(new Error("the broker did not answer")));
  });
  socket.on("open", () => socket.send(JSON.stringify({ id: 1, call })));
  try {
    return await answer;
  } finally {
    socket.removeAllListeners();
    socket.on("error", () => undefined);
    socket.close();
  }
}
