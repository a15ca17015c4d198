/** What brokers share, in the test's hands: a store that can be away, and who decides about rooms. */
import { type Cluster, type ClusterEvents, MemoryStore, type Store } from "@centroid/broker";

/** What a broker says that this one is not. */
const OTHER = { brokerId: "other", url: "http://127.0.0.1:1" };

export class SharedDeployment {
  readonly kept = new MemoryStore();
  /** Each call fails while it is true, or those of this name, as if the store could not be reached. */
  away: boolean | keyof Store = false;
  /** Calls that failed so, by name. */
  readonly failed: string[] = [];
  /** How long ago the other broker has heard a host that it is asked about; never if undefined, nobody is asked if null. */
  heardAgoMs: number | undefined | null = null;
  /** Questions of that kind. */
  asked = 0;
  #owns = true;
  #events: ClusterEvents | undefined;

  get owns(): boolean {
    return this.#owns;
  }

  /** Another broker decides from now on, or this one again. */
  set owns(owns: boolean) {
    this.#owns = owns;
    const shards = Array.from({ length: 64 }, (_, shard) => shard);
    if (owns) this.#events?.acquired(shards);
    else {
      this.#events?.released(shards);
      this.#events?.dealt(shards);
    }
  }

  get store(): Store {
    return new Proxy<Store>(this.kept, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        if (typeof method !== "function") return method;
        return (...args: unknown[]): Promise<unknown> => {
          if (this.away !== true && this.away !== name) return method.apply(target, args);
          this.failed.push(String(name));
          return Promise.reject(new Error("Socket closed unexpectedly"));
        };
      },
    });
  }

  get cluster(): Cluster {
    return {
      join: async (_self, events) => {
        this.#events = events;
        if (this.#owns) events.acquired(Array.from({ length: 64 }, (_, shard) => shard));
      },
      owns: () => this.#owns,
      ownerOf: () => (this.#owns ? undefined : OTHER),
      tokenOf: () => (this.#owns ? "token" : "-"),
      members: () => (this.#owns ? [] : [OTHER]),
      reachable: () => true,
      others: () => (this.heardAgoMs === null ? [] : [OTHER]),
      othersNow: async () => (this.heardAgoMs === null ? [] : [OTHER]),
      countsForMs: () => Number.POSITIVE_INFINITY,
      term: () => 1,
      publish: (kind, body) => {
        if (kind !== "host-asked") return;
        this.asked++;
        const { hostId, given } = body as { hostId: string; given?: { askId: string } };
        const isSilent = this.heardAgoMs === undefined;
        const heard = {
          hostId,
          promises: true,
          agoMs: this.heardAgoMs ?? undefined,
          ...(isSilent && given && { withdrawn: given.askId }),
        };
        this.#events?.message({ from: OTHER.brokerId, kind: "host-heard", body: heard });
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
}
