/**
 * What this broker's answers to hosts are worth. An answer is a lease by itself, whatever other brokers say, so none is
 * given while another one may have given the host's rooms away: not before it was read who has them on record (OWN-12).
 */
import { CentroidError } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Cluster } from "../cluster/cluster.js";
import type { RoomRecord, Store } from "../store/store.js";
import { type AgentPeer, type HostEntry, type HostRegistry, leaves } from "./host-registry.js";
import { CLOCK_MARGIN } from "./liveness.js";

/** A connection that is new, or an absence of this broker, is answered by then, as one broker of several. */
const LOOKED_WITHIN_MS = 500;
/** A host that has a room lets go of it at once. */
const LET_GO_TIMEOUT_MS = 1_000;

/** A room that another broker gives away, and the epoch at which it does. */
export interface Given {
  roomId: string;
  epoch: number;
}

/** @param forAll false: it counts for this broker only, and rooms run while each broker answers */
type Answer = (forAll: boolean) => void;

/** How this broker stands to one connection of a host. */
interface Standing {
  /** Since when the host's rooms are known to be nobody else's, as the cluster counts; none if undefined. */
  term: number | undefined;
  /** It was said that this host is not answered: it is not before its rooms were looked at. */
  promised: boolean;
  /** How often that was said: what was read before it does not count. */
  promises: number;
  looking: boolean;
  /** Heartbeats that wait for it. */
  owed: Answer[];
}

export interface HostAnswersOptions {
  hosts: HostRegistry;
  store: Pick<Store, "records">;
  cluster: Pick<Cluster, "term" | "countsForMs">;
  /** False if this broker is alone on its store: nobody else gives rooms away. */
  shared: boolean;
  /** The record may name another owner of a room than this host. */
  onRecord: (host: HostEntry, record: RoomRecord) => void;
  /** The host has to let go of a room if it has it at an earlier epoch. */
  onLeft: (host: HostEntry, roomId: string, epoch: number) => void;
  clock: Clock;
  logger: Logger;
  /** How long a heartbeat that was answered lets a host run its rooms, at most. */
  leaseMs: number;
}

export class HostAnswers {
  readonly #options: HostAnswersOptions;
  readonly #standings = new WeakMap<AgentPeer, Standing>();
  /** When a host was answered last. */
  readonly #answeredAtMs = new Map<string, number>();

  constructor(options: HostAnswersOptions) {
    this.#options = options;
  }

  /** A host said hello, and is welcome. */
  greeted(hostId: string): void {
    const host = this.#options.hosts.get(hostId);
    // A welcome goes on with a lease that is not over.
    this.#answered(hostId);
    if (host?.peer !== undefined && this.#options.shared) void this.#look(host, host.peer);
  }

  /** A host that does not count as lost sent a heartbeat; it is answered now, or once its rooms were looked at. */
  heartbeat(hostId: string, answer: Answer): void {
    const { hosts, shared, cluster, clock } = this.#options;
    const host = hosts.get(hostId);
    if (host?.peer === undefined) return;
    const say: Answer = (forAll) => {
      this.#answered(hostId);
      answer(forAll);
    };
    const standing = this.#standing(host.peer);
    if (!shared || standing.term === cluster.term()) {
      say(true);
      return;
    }
    // While the store is away there is nothing to look at, and only all brokers together let rooms run.
    if (!standing.promised && cluster.countsForMs() === 0) say(false);
    else standing.owed.push(say);
    clock.after(LOOKED_WITHIN_MS, () => {
      if (!standing.promised) payOff(standing, false);
    });
    void this.#look(host, host.peer);
  }

  /**
   * Another broker has a room on record for somebody else than this host. From when this is true the host is not answered
   * before its rooms were looked at, or has let go of this one.
   */
  async withdraws(hostId: string, { roomId, epoch }: Given): Promise<boolean> {
    const { hosts, clock, leaseMs } = this.#options;
    const host = hosts.get(hostId);
    const peer = host?.peer;
    const sinceMs = clock.now() - (this.#answeredAtMs.get(hostId) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs > leaseMs * CLOCK_MARGIN) {
      if (host !== undefined) leaves(host, roomId, epoch);
      if (peer !== undefined) promise(this.#standing(peer));
      return true;
    }
    // What it was answered lets it run the room a little longer, and it cannot be told.
    if (peer === undefined) return false;
    try {
      await peer.request({ method: "disposeRoom", roomId, epoch }, LET_GO_TIMEOUT_MS);
      return true;
    } catch (cause) {
      // Any answer says that it has not got the room.
      if (CentroidError.from(cause).code !== "HOST_LOST") return true;
      peer.close();
      return false;
    }
  }

  /** It is not expected back. */
  forget(hostId: string): void {
    this.#answeredAtMs.delete(hostId);
  }

  #answered(hostId: string): void {
    this.#answeredAtMs.set(hostId, this.#options.clock.now());
  }

  #standing(peer: AgentPeer): Standing {
    const known = this.#standings.get(peer);
    if (known !== undefined) return known;
    const standing = { term: undefined, promised: false, promises: 0, looking: false, owed: [] };
    this.#standings.set(peer, standing);
    return standing;
  }

  /**
   * Whoever gives a room away asks this broker once that is on record. So either the record is read here, or the question
   * comes after what was read, and that does not count then. What the host has got by now it has said before it answers.
   */
  async #look(host: HostEntry, peer: AgentPeer): Promise<void> {
    const { store, cluster, onRecord, onLeft, logger } = this.#options;
    const standing = this.#standing(peer);
    if (standing.looking) return;
    standing.looking = true;
    try {
      for (;;) {
        const { promises } = standing;
        const term = cluster.term();
        if (!(await peer.alive())) return;
        const records = await store.records([...host.roomIds]);
        if (host.peer !== peer) return;
        if (promises !== standing.promises || term !== cluster.term()) continue;
        for (const record of records) onRecord(host, record);
        for (const [roomId, epoch] of host.left) onLeft(host, roomId, epoch);
        host.left.clear();
        standing.promised = false;
        standing.term = term;
        payOff(standing, true);
        return;
      }
    } catch (cause) {
      logger.warn({ hostId: host.facts.hostId, cause }, "who has this host's rooms could not be read yet");
    } finally {
      standing.looking = false;
    }
  }
}

function promise(standing: Standing): void {
  standing.term = undefined;
  standing.promised = true;
  standing.promises++;
}

/** Each heartbeat is answered, in order: a host counts them. */
function payOff(standing: Standing, forAll: boolean): void {
  for (const say of standing.owed.splice(0)) say(forAll);
}
