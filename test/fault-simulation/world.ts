/** One or two brokers, some hosts and players, the network and the disk between them, and the history of it all. */
import { Draw } from "../support/draw.js";
import { ask, BrokerNode, type Storage } from "./broker-node.js";
import { buggify } from "./buggify.js";
import { Disk } from "./disk.js";
import type { Ending, Entry, Happening } from "./history.js";
import { HostNode } from "./host-node.js";
import { Network } from "./network.js";
import { type Action, BROKERS, describe, HOSTS, PLAYERS, ROOMS, type Surroundings } from "./plan.js";
import { Player } from "./player.js";
import type { Programs, Served } from "./program.js";
import { SimRedis } from "./redis.js";
import { Scheduler, SimProcess } from "./scheduler.js";

/** Degrees between two hosts: far enough apart that placement tells them apart. */
const APART = 30;
/** A supervisor starts again what has ended by itself. */
const RESTART_MS = 1_000;
/** Ids of every shard. */
const PROBES = Array.from({ length: 500 }, (_, at) => `room-${at}`);
/** A session may end so long after its own connection had trouble. */
const EXCUSED_MS = 45_000;

/** FNV-1a (draft-eastlake-fnv). */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

function storageOf(redis: SimRedis | undefined, disk: Disk): Storage {
  if (redis === undefined)
    return { open: async (process) => ({ store: await disk.open(process) }), crashed: () => disk.crashed() };
  return { open: async (process, product) => redis.open(process, product), crashed: () => undefined };
}

export class World {
  readonly scheduler = new Scheduler();
  readonly history: Entry[] = [];
  readonly brokers: BrokerNode[];
  readonly hosts: HostNode[];
  readonly players: Player[];
  readonly #network: Network;
  readonly #disk: Disk;
  readonly #operator = new SimProcess("operator", "operator");
  readonly #troubledAtMs = new Map<string, number>();

  readonly #redis: SimRedis | undefined;

  constructor(
    programs: Programs,
    seed: number,
    { disk = false, endings = false, brokers = 1 }: Surroundings,
  ) {
    const { scheduler } = this;
    scheduler.readsFirst = endings;
    const draw = new Draw(seed ^ 0x5bd1e995);
    const happens = buggify(draw);
    this.#network = new Network(scheduler, draw, happens);
    this.#disk = new Disk(scheduler, draw, disk ? happens : () => false);
    const draws = new Map<string, Draw>();
    const run = {
      scheduler,
      drawFor: ({ name, life }: SimProcess): Draw => {
        const key = `${name} ${life}`;
        const known = draws.get(key) ?? new Draw(seed ^ hash32(key));
        draws.set(key, known);
        return known;
      },
      fork: () => {
        throw new Error("only agents fork");
      },
      dial: (process: SimProcess, url: string) => this.#network.dial(process, url),
    };
    const record = (happening: Happening): void => {
      this.history.push({ atMs: scheduler.nowMs, ...happening });
    };
    this.#record = record;
    scheduler.onError = (process, cause) => this.#uncaught(process, cause);
    let lives = 0;
    const machines = BROKERS.slice(0, brokers);
    this.#redis = brokers > 1 ? new SimRedis(scheduler, this.#network) : undefined;
    const storage = storageOf(this.#redis, this.#disk);
    this.brokers = machines.map(
      (machine, at) =>
        new BrokerNode(machine, programs.brokers[at]!, this.#network, storage, run, (text) =>
          record({ type: "note", text }),
        ),
    );
    this.hosts = HOSTS.map((hostId, at) => {
      const node: HostNode = new HostNode({
        hostId,
        longitude: at * APART,
        brokers: machines,
        agent: programs.agents[at]!,
        roomHost: programs.roomHosts[at]!,
        network: this.#network,
        run,
        buggify: happens,
        record,
        nextLife: () => ++lives,
      });
      return node;
    });
    this.players = PLAYERS.map(
      (name, at) =>
        new Player({
          name,
          brokers: at % 2 === 0 ? machines : machines.toReversed(),
          program: programs.players[at]!,
          network: this.#network,
          run,
          record,
          excused: (player) =>
            scheduler.nowMs - (this.#troubledAtMs.get(player) ?? Number.NEGATIVE_INFINITY) < EXCUSED_MS,
        }),
    );
  }

  readonly #record: (happening: Happening) => void;

  /** Ends the process, as Node does; a room host alone goes on, as its entry point says. */
  #uncaught(process: SimProcess | undefined, cause: unknown): void {
    const text =
      cause instanceof Error
        ? (cause.stack ?? cause.message).split("\n").slice(0, 3).join(" ")
        : String(cause);
    if (process === undefined || process === this.#operator) throw cause;
    this.#record({ type: "uncaught", process: process.name, text });
    const host = this.hosts.find(({ agent }) => agent === process);
    if (host !== undefined) {
      host.crash(false);
      this.scheduler.after(RESTART_MS, undefined, () => {
        if (!host.agent.alive) host.start();
      });
      return;
    }
    const broker = this.brokers.find((node) => node.process === process);
    if (broker === undefined) return;
    broker.crash();
    this.scheduler.after(RESTART_MS, undefined, () => {
      if (!process.alive) broker.start();
    });
  }

  /** Everything runs and everybody plays. */
  async begin(withinMs: number): Promise<void> {
    const { scheduler, brokers, hosts, players } = this;
    scheduler.start(this.#operator);
    this.#redis?.start();
    for (const broker of brokers) broker.start();
    await scheduler.run(50);
    for (const host of hosts) host.start();
    for (const player of players) player.start();
    await scheduler.run(1_500, () =>
      brokers.every(({ served }) => served?.client.hosts.size === hosts.length),
    );
    // Shards are dealt anew when the second broker comes; what is saved meanwhile is saved again only later.
    const isDealt = (): boolean =>
      brokers.every((broker) => PROBES.some((roomId) => broker.owns(roomId))) &&
      PROBES.every((roomId) => brokers.filter((broker) => broker.owns(roomId)).length === 1);
    if (brokers.length > 1) await scheduler.run(5_000, isDealt);
    const makers = players.slice(0, ROOMS);
    const join = (player: Player, ...how: Parameters<Player["join"]>): void =>
      void player.join(...how).catch((cause: unknown) => {
        this.#record({ type: "note", text: `${player.name} does not get in: ${String(cause)}` });
      });
    for (const [at, maker] of makers.entries()) join(maker, "create", at % 2 === 0 ? "ledger" : "vault");
    await scheduler.run(scheduler.nowMs + 6_000, () => makers.every(({ joined }) => joined));
    for (const [at, player] of players.slice(ROOMS).entries())
      join(player, "joinById", makers[at % ROOMS]?.roomId ?? "");
    await scheduler.run(scheduler.nowMs + withinMs);
  }

  schedule(actions: readonly Action[], offsetMs: number): void {
    for (const action of actions)
      this.scheduler.after(offsetMs + action.atMs - this.scheduler.nowMs, undefined, () => this.#do(action));
  }

  #fault(text: string, machines: readonly string[], forMs: number, heal: () => void): void {
    const { scheduler } = this;
    const mark = (type: "fault" | "healed"): void => {
      for (const machine of machines) {
        this.#troubledAtMs.set(machine, scheduler.nowMs);
        this.#record({ type, text, machine });
      }
      if (machines.length === 0) this.#record({ type, text });
    };
    mark("fault");
    scheduler.after(forMs, undefined, () => {
      heal();
      mark("healed");
    });
  }

  #do(action: Action): void {
    const text = describe(action);
    const host = (hostId: string): HostNode | undefined => this.hosts.find((node) => node.hostId === hostId);
    const broker = (machine = "broker"): BrokerNode | undefined =>
      this.brokers.find(({ process }) => process.machine === machine);
    const processesOf = (machine: string): SimProcess[] => {
      const node = host(machine);
      if (node !== undefined) return [node.agent, node.rooms];
      const ofBroker = broker(machine)?.process;
      return ofBroker === undefined ? [] : [ofBroker];
    };
    switch (action.type) {
      case "move": {
        const roomId = this.players[action.room]?.roomId ?? "";
        this.#record({ type: "note", text });
        const machines = this.brokers.map(({ process }) => process.machine);
        const order = { method: "move", roomId, hostId: action.toHostId } as const;
        ask(this.#network, this.#operator, machines, order, 30_000).then(
          (receipt) => {
            const { outcome, promoted } = receipt as { outcome: string; promoted?: true };
            const how = promoted === true ? `${outcome}, its standby was promoted` : outcome;
            this.#record({ type: "note", text: `move of ${roomId} to ${action.toHostId}: ${how}` });
          },
          (cause: Error) => this.#record({ type: "note", text: `move refused: ${cause.message}` }),
        );
        return;
      }
      case "crash broker":
        broker(action.machine)?.crash();
        this.#fault(text, [action.machine ?? "broker"], action.forMs, () => {
          broker(action.machine)?.comeBack();
        });
        return;
      case "end broker":
        this.#network.darken(action.machine ?? "broker");
        broker(action.machine)?.end();
        this.#fault(text, [action.machine ?? "broker"], action.forMs, () => {
          this.#network.lighten(action.machine ?? "broker");
          broker(action.machine)?.comeBack();
        });
        return;
      case "crash host":
        host(action.hostId)?.crash(action.silent);
        this.#fault(text, [action.hostId], action.forMs, () => {
          const node = host(action.hostId);
          if (node?.agent.alive === false) node.start();
        });
        return;
      case "crash room host":
        host(action.hostId)?.crashRooms();
        this.#fault(text, [action.hostId], 0, () => undefined);
        return;
      case "stop": {
        const node = host(action.machine);
        const both = processesOf(action.machine);
        const stopped = both.filter(
          (process) =>
            action.what === "both" ||
            node === undefined ||
            (action.what === "agent") === (process === node.agent),
        );
        for (const process of stopped) this.scheduler.stop(process);
        this.#fault(text, [action.machine], action.forMs, () => {
          for (const process of stopped) this.scheduler.goOn(process);
        });
        return;
      }
      case "cut":
        this.#network.cut(action.from, action.to);
        this.#fault(text, [action.from, action.to], action.forMs, () =>
          this.#network.heal(action.from, action.to),
        );
        return;
      case "reset": {
        const open = this.#network.connections();
        const socket = open[action.which % Math.max(1, open.length)];
        if (socket === undefined) return;
        this.#network.reset(socket);
        this.#fault(
          `${text} (${socket.machine} to ${socket.peer.machine})`,
          [socket.machine, socket.peer.machine],
          0,
          () => undefined,
        );
        return;
      }
      case "set clock": {
        const all = processesOf(action.machine);
        for (const process of all) process.wallOffsetMs += Math.round(action.byMs);
        this.#fault(text, [], 0, () => undefined);
        return;
      }
      case "disk full":
        this.#disk.full = true;
        this.#fault(text, [], action.forMs, () => {
          this.#disk.full = false;
        });
        return;
      default: {
        const never: never = action;
        throw new Error(`unknown action ${JSON.stringify(never)}`);
      }
    }
  }

  /** Sessions that nobody has ended, by room. */
  #living(roomId: string): Player[] {
    return this.players.filter((player) => player.roomId === roomId && player.joined && !player.ended);
  }

  get #served(): Served | undefined {
    return this.brokers.find(({ served }) => served !== undefined)?.served;
  }

  async ending(): Promise<Ending> {
    const served = this.#served;
    const store = this.#redis?.store ?? served?.operator.store;
    const open = (await store?.openMigrations()) ?? [];
    const roomIds = [...new Set(this.players.map(({ roomId }) => roomId))].filter((roomId) => roomId !== "");
    return {
      openMigrations: open.map(({ migrationId }) => migrationId),
      rooms: roomIds.map((roomId) => {
        const nodes = this.hosts.filter((node) => node.running().includes(roomId));
        return {
          roomId,
          state: served?.client.rooms.get(roomId)?.stage.state,
          sessions: this.#living(roomId).map(({ sessionId }) => sessionId),
          runsAt: nodes.map(({ hostId }) => hostId),
          log: nodes[0]?.ledgers.get(roomId)?.log ?? {},
        };
      }),
    };
  }

  /** True when nothing is under way any more and everything said has been heard. */
  quiet(): boolean {
    const served = this.#served;
    if (served === undefined) return false;
    return this.players.every(({ roomId, sessionId, said, joined, ended }) => {
      if (!joined || ended) return true;
      const nodes = this.hosts.filter((node) => node.running().includes(roomId));
      const log = nodes[0]?.ledgers.get(roomId)?.log[sessionId] ?? [];
      const state = served.client.rooms.get(roomId)?.stage.state;
      return nodes.length === 1 && state === "running" && log.length >= said;
    });
  }
}
