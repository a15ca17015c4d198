/** One broker alone: it decides about every room. */
import { SHARDS } from "@centroid/protocol";
import type { Cluster, ClusterEvents, ClusterMessage, Member } from "./cluster.js";

export class SingleBroker implements Cluster {
  #self: Member | undefined;

  async join(self: Member, events: ClusterEvents): Promise<void> {
    this.#self = self;
    events.acquired(Array.from({ length: SHARDS }, (_, shard) => shard));
  }

  owns(): boolean {
    return true;
  }

  ownerOf(): Member | undefined {
    return this.#self;
  }

  tokenOf(): string {
    return "single";
  }

  members(): readonly Member[] {
    return this.#self === undefined ? [] : [this.#self];
  }

  reachable(): boolean {
    return true;
  }

  others(): readonly Member[] {
    return [];
  }

  async othersNow(): Promise<readonly Member[]> {
    return [];
  }

  countsForMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  term(): number {
    return 1;
  }

  publish(_kind: ClusterMessage["kind"], _body: unknown): void {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
