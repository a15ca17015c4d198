/** The groups of benchmarks, each loaded when it is run. */
import type { Row } from "./row.js";

export type GroupName =
  | "handoff"
  | "broker"
  | "churn"
  | "container-memory"
  | "evacuation"
  | "failover"
  | "distributed"
  | "gateway"
  | "gateway-crowd"
  | "in-step"
  | "large-rooms"
  | "memory"
  | "migrate"
  | "message-cpu"
  | "peer"
  | "placement"
  | "player-sockets"
  | "promotion"
  | "shards"
  | "vision"
  | "vision-distance"
  | "wan"
  | "wan-loss";

/** For groups that can be made smaller or larger; the others know one size. */
export interface BenchOptions {
  players?: number[];
  runs?: number;
  /** How long players play once all have joined. */
  seconds?: number;
}

interface Group {
  about: string;
  load: () => Promise<(options: BenchOptions) => Promise<Row[]>>;
}

export const GROUPS: Record<GroupName, Group> = {
  handoff: {
    about: "what players feel of a move: silence beyond the tick, messages lost",
    load: async () => (await import("./handoff.js")).handoff,
  },
  broker: {
    about: "rooms created and seats reserved a second, memory of broker and agents",
    load: async () => (await import("./broker.js")).broker,
  },
  churn: {
    about: "what 100,000 players who came and left leave in the broker's heap",
    load: async () => (await import("./churn.js")).churn,
  },
  "container-memory": {
    about: "memory that each of fifty rooms in containers has of its own",
    load: async () => (await import("./container-memory.js")).containerMemory,
  },
  evacuation: {
    about: "all rooms of a host go to three others by a deadline (--players 200)",
    load: async () => (await import("./evacuation.js")).evacuation,
  },
  failover: {
    about: "from a host's death until its room's players hear the room again",
    load: async () => (await import("./failover.js")).failover,
  },
  distributed: {
    about: "seats a second with one and three brokers on a Redis, and after it restarts",
    load: async () => (await import("./distributed.js")).distributed,
  },
  gateway: {
    about: "what a gateway adds to a round trip, and its CPU per message",
    load: async () => (await import("./gateway.js")).gateway,
  },
  "gateway-crowd": {
    about:
      "a gateway on one core with 10,000 open sockets and with 2,000 players (--players 10000,2000 --seconds 20)",
    load: async () => (await import("./gateway-crowd.js")).gatewayCrowd,
  },
  "in-step": {
    about:
      "moves of a deterministic room beside ordinary ones over 230 ms: silence, and what became of inputs",
    load: async () => (await import("./in-step.js")).inStep,
  },
  "large-rooms": {
    about:
      "a tick and a move of one room of many players, beside bare Colyseus (--players 50,200,1000 --runs 5 --seconds 4)",
    load: async () => (await import("./large-rooms.js")).largeRooms,
  },
  memory: {
    about: "what a room and a player cost in the broker and in a room host",
    load: async () => (await import("./memory.js")).memory,
  },
  migrate: {
    about: "a room moved by hand-off, with its container and with its machine, under several loads",
    load: async () => (await import("./migrate.js")).migrate,
  },
  "message-cpu": {
    about: "CPU of a message against the same room on bare Colyseus",
    load: async () => (await import("./message-cpu.js")).messageCpu,
  },
  peer: {
    about:
      "joins, round trips and CPU of each process beside bare Colyseus (--players 100,500 --runs 1 --seconds 10)",
    load: async () => (await import("./peer.js")).peer,
  },
  placement: {
    about: "how near placement comes to the optimum, and what an evaluation costs",
    load: async () => (await import("./placement.js")).placement,
  },
  "player-sockets": {
    about: "CPU of players' sockets alone: Node's, uWebSockets.js, and a program in C that copies bytes",
    load: async () => (await import("./player-sockets.js")).playerSockets,
  },
  promotion: {
    about: "a move of 1 MB over 90 ms, with and without a warm standby at the destination",
    load: async () => (await import("./wan.js")).promotion,
  },
  shards: {
    about: "CPU per seat and per report with one and with three brokers (--players 800)",
    load: async () => (await import("./shards.js")).shards,
  },
  vision: {
    about: "what a picture takes at the edge, how late rooms tick beside it, and a stream through moves",
    load: async () => (await import("./vision.js")).vision,
  },
  "vision-distance": {
    about: "time of a picture over distance, in the page, at the edge and auto; draws a graph",
    load: async () => (await import("./vision-distance.js")).visionDistance,
  },
  wan: {
    about:
      "silence of moves between hosts 20, 90 and 230 ms apart, direct and by a gateway (--players 50: at 90 ms)",
    load: async () => (await import("./wan.js")).wan,
  },
  "wan-loss": {
    about: "the same between namespaces, with and without 1 % of the packets lost; as root",
    load: async () => (await import("./wan.js")).wanLoss,
  },
};
