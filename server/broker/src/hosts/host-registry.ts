/** The edge hosts this broker knows, what they offer, and how to talk to each. */
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  type AgentToBroker,
  type BrokerToAgent,
  CentroidError,
  forgetOldest,
  type Host,
  type HostSummary,
} from "@centroid/protocol";
import { type HostStage, type HostTransition, nextHostStage } from "./host-stage.js";

/**
 * What runs authors' code, onCreate() and onAuth(), may wait for a service as long as it would without a broker. A host
 * that dies or hangs meanwhile is noticed by its connection, not by this.
 */
export const AUTHOR_TIMEOUT_MS = 90_000;

/** Far more than leave a host while it is out of sight. */
const MAX_LEFT = 1_000;

/** Asks the agent of one host. @throws CentroidError what the agent answered, HOST_LOST or MIGRATION_TIMEOUT */
export interface AgentPeer {
  request<M extends AgentMethod>(
    request: Extract<AgentRequest, { method: M }>,
    timeoutMs?: number,
  ): Promise<AgentResults[M]>;
  /** What needs no answer. */
  send(message: BrokerToAgent): void;
  /** True if the other end is still there. What it had to say by now has been said when this resolves. */
  alive(): Promise<boolean>;
  /** Ends the connection: the agent dials again and says anew what it runs. */
  close(): void;
}

type Hello = Extract<AgentToBroker, { type: "hello" }>;

export interface HostFacts
  extends Pick<
    Host,
    | "hostId"
    | "name"
    | "latitude"
    | "longitude"
    | "region"
    | "carriers"
    | "capacityRooms"
    | "costPerHour"
    | "beaconUrl"
  > {
  roomTypes: readonly string[];
  /** By room type: what its rooms compute, as its class declares it. */
  roomWork?: Hello["roomWork"];
  /** Its room hosts take gateways' trunks. */
  trunks?: boolean | undefined;
  /** It passes on what players measure. */
  measures?: boolean | undefined;
  /** It tells of players one by one only to the broker that decides about their room. */
  counts?: boolean | undefined;
  /** It is told which checkpoints are not kept. */
  unsaved?: boolean | undefined;
}

export interface HostEntry {
  facts: HostFacts;
  stage: HostStage;
  /** The live connection to its agent, if there is one just now. */
  peer: AgentPeer | undefined;
  load: number;
  rssBytes: number;
  /** Undefined until it has measured it. */
  speed: Host["speed"];
  /** `host:port` of a project's HTTP routes, while it serves them. */
  app: string | undefined;
  lastHeartbeatAtMs: number;
  /** Rooms it owns or is about to own; each takes a slot. */
  roomIds: Set<string>;
  /** Rooms that others got at that epoch and that it may not know to be over, oldest first. */
  left: Map<string, number>;
  /** Connected players of its rooms. */
  players: number;
  /** While it drains: by when it has to be empty, if there is such a time. */
  emptyByMs: number | undefined;
  /** Since when it drains of its own accord, if it does; it takes rooms again when it comes back. */
  leavesSinceMs: number | undefined;
}

export class HostRegistry {
  readonly #hosts = new Map<string, HostEntry>();

  get(hostId: string): HostEntry | undefined {
    return this.#hosts.get(hostId);
  }

  /** @throws CentroidError HOST_NOT_FOUND */
  require(hostId: string): HostEntry {
    const host = this.#hosts.get(hostId);
    if (host === undefined) {
      const known = [...this.#hosts.keys()].slice(0, 20).join(", ") || "none";
      throw new CentroidError("HOST_NOT_FOUND", `no host "${hostId}"; known hosts: ${known}`);
    }
    return host;
  }

  values(): IterableIterator<HostEntry> {
    return this.#hosts.values();
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** A host said hello: a new entry, or the old one with what it says now. */
  hello(facts: HostFacts, peer: AgentPeer, atMs: number): HostEntry {
    const known = this.#hosts.get(facts.hostId);
    if (known === undefined) {
      const entry: HostEntry = {
        facts,
        stage: { state: "active" },
        peer,
        load: 0,
        rssBytes: 0,
        speed: undefined,
        app: undefined,
        lastHeartbeatAtMs: atMs,
        roomIds: new Set(),
        left: new Map(),
        players: 0,
        emptyByMs: undefined,
        leavesSinceMs: undefined,
      };
      this.#hosts.set(facts.hostId, entry);
      return entry;
    }
    known.facts = facts;
    known.peer = peer;
    known.lastHeartbeatAtMs = atMs;
    known.stage = nextHostStage(known.stage, { type: "hello" });
    if (known.leavesSinceMs !== undefined) this.apply(facts.hostId, { type: "activate" });
    return known;
  }

  apply(hostId: string, event: HostTransition): HostEntry {
    const host = this.require(hostId);
    host.stage = nextHostStage(host.stage, event);
    if (event.type === "activate" || event.type === "drain") {
      host.leavesSinceMs = undefined;
      host.emptyByMs = undefined;
    }
    return host;
  }

  remove(hostId: string): void {
    this.#hosts.delete(hostId);
  }
}

/** Another host gets this room, or has got it, at that epoch. */
export function leaves(host: HostEntry, roomId: string, epoch: number): void {
  host.left.delete(roomId);
  host.left.set(roomId, epoch);
  forgetOldest(host.left, MAX_LEFT);
}

/** @throws CentroidError HOST_LOST if its agent is not connected */
export function peerOf(host: HostEntry): AgentPeer {
  if (host.peer === undefined)
    throw new CentroidError(
      "HOST_LOST",
      `the agent of ${host.facts.hostId} is not connected; try again shortly`,
    );
  return host.peer;
}

/** True if a room of that host could go to another one now. */
export function hasElsewhere(hosts: HostRegistry, hostId: string): boolean {
  for (const host of hosts.values()) if (host.facts.hostId !== hostId && takesRooms(host)) return true;
  return false;
}

/** True if new rooms may go there now. */
export function takesRooms(host: HostEntry): boolean {
  return (
    host.stage.state === "active" && host.peer !== undefined && host.roomIds.size < host.facts.capacityRooms
  );
}

/** True if some host could take a new room now. */
export function anyHostTakesRooms(hosts: HostRegistry): boolean {
  for (const host of hosts.values()) if (takesRooms(host)) return true;
  return false;
}

export function hostView(host: HostEntry): Host {
  const {
    roomTypes: _,
    roomWork: _work,
    trunks: _trunks,
    measures: _measures,
    counts: _counts,
    unsaved: _unsaved,
    ...facts
  } = host.facts;
  return {
    ...facts,
    state: host.stage.state,
    rooms: host.roomIds.size,
    players: host.players,
    load: host.load,
    rssBytes: host.rssBytes,
    ...(host.speed !== undefined && { speed: host.speed }),
    lastHeartbeatAtMs: host.lastHeartbeatAtMs,
  };
}

export function hostSummary({ facts: { hostId, name, latitude, longitude } }: HostEntry): HostSummary {
  return { hostId, name, latitude, longitude };
}
