/** Orders about hosts: operators', carried out here and by every other broker, and hosts' own, which tell each broker. */
import type { Clock } from "../base/clock.js";
import type { Cluster } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "./host-events.js";
import { type HostRegistry, hasElsewhere } from "./host-registry.js";

export type HostOrder = "drain" | "activate";

export class HostOrders {
  readonly #hosts: HostRegistry;
  readonly #events: Emitter<HostEvents>;
  readonly #cluster: Pick<Cluster, "publish">;
  readonly #clock: Clock;

  constructor(
    hosts: HostRegistry,
    events: Emitter<HostEvents>,
    cluster: Pick<Cluster, "publish">,
    clock: Clock,
  ) {
    this.#hosts = hosts;
    this.#events = events;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  /**
   * @param withinMs of a host that drains: the time after which it should be empty
   * @throws CentroidError HOST_NOT_FOUND, or HOST_LOST if the host is away
   */
  order(hostId: string, to: HostOrder, withinMs?: number): void {
    this.apply(hostId, to, withinMs);
    this.#cluster.publish("host-state", { hostId, to, ...(withinMs !== undefined && { withinMs }) });
  }

  /** An order that another broker was given. */
  apply(hostId: string, to: HostOrder, withinMs?: number): void {
    const host = this.#hosts.apply(hostId, { type: to });
    if (to === "drain" && withinMs !== undefined) host.emptyByMs = this.#clock.now() + withinMs;
    this.#events.emit("host.changed", { host });
  }

  /** The host is about to end. @returns whether there is another that could take a room */
  leaves(hostId: string, withinMs: number): boolean {
    const host = this.#hosts.apply(hostId, { type: "drain" });
    const now = this.#clock.now();
    host.emptyByMs = now + withinMs;
    host.leavesSinceMs = now;
    this.#events.emit("host.changed", { host });
    return hasElsewhere(this.#hosts, hostId);
  }
}
