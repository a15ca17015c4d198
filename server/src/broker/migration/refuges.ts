/**
 * Where rooms would go if their hosts were lost: the agent there is told to have a process ready, since starting one
 * takes a second that players would wait for.
 */
import type { CarrierKind, Decision } from "@centroid/protocol";
import type { Logger } from "../logger.js";
import type { AgentPeer, HostRegistry } from "../state/host-registry.js";

export interface RefugesOptions {
  hosts: HostRegistry;
  carrier: CarrierKind;
  logger: Logger;
}

export class Refuges {
  readonly #o: RefugesOptions;
  /** By connection: an agent that started anew has nothing ready. */
  readonly #asked = new WeakSet<AgentPeer>();

  constructor(options: RefugesOptions) {
    this.#o = options;
  }

  /** Makes the second-best host of a decision ready, once. */
  prepare({ roomId, candidates, fromHostId, toHostId = fromHostId }: Decision): void {
    const { hosts, carrier, logger } = this.#o;
    // A machine kept ready costs its memory; those start from a template when players look at their host.
    if (carrier !== "process") return;
    let next: (typeof candidates)[number] | undefined;
    for (const candidate of candidates) {
      const { hostId, rejected, scoreMs } = candidate;
      if (hostId === toHostId || (rejected !== undefined && rejected !== "score" && rejected !== "cap"))
        continue;
      if (next === undefined || scoreMs < next.scoreMs) next = candidate;
    }
    const hostId = next?.hostId;
    const peer = hostId === undefined ? undefined : hosts.get(hostId)?.peer;
    if (peer === undefined || this.#asked.has(peer)) return;
    this.#asked.add(peer);
    peer.request({ method: "warmUp", roomId, carrier }).catch((cause: unknown) => {
      this.#asked.delete(peer);
      logger.debug({ hostId, cause }, "host did not get ready for rooms of others");
    });
  }
}
