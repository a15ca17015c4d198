/** Operators' orders about hosts: carried out here and by every other broker. */
import type { Cluster } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "./host-events.js";
import type { HostRegistry } from "./host-registry.js";

export type HostOrder = "drain" | "activate";

export class HostOrders {
  readonly #hosts: HostRegistry;
  readonly #events: Emitter<HostEvents>;
  readonly #cluster: Pick<Cluster, "publish">;

  constructor(hosts: HostRegistry, events: Emitter<HostEvents>, cluster: Pick<Cluster, "publish">) {
    this.#hosts = hosts;
    this.#events = events;
    this.#cluster = cluster;
  }

  /** @throws CentroidError HOST_NOT_FOUND, or HOST_LOST if the host is away */
  order(hostId: string, to: HostOrder): void {
    this.apply(hostId, to);
    this.#cluster.publish("host-state", { hostId, to });
  }

  /** An order that another broker was given. */
  apply(hostId: string, to: HostOrder): void {
    this.#events.emit("host.changed", { host: this.#hosts.apply(hostId, { type: to }) });
  }
}
