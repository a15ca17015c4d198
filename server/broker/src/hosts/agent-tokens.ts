/**
 * By which token each host joins. The deployment's shared one is for a start: it opens to every host that has none of its
 * own. A host's own is good for that host id only and can be revoked; until the host has joined with it, what it has now
 * opens as well, so that nothing breaks before its agent is started again. Kept in the store, for all its brokers.
 */
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import type { Logger } from "../base/logger.js";
import type { Cluster } from "../cluster/cluster.js";
import type { Store } from "../store/store.js";

/** Names in the store. */
const PREFIX = "agent-token:";
const SHARED = "shared-agent-token";
const REFUSED = "refused";

const hostTokenSchema = z.discriminatedUnion("state", [
  /** Made, and the host has not joined with it yet. `before`: what it may still have; the shared one if not given. */
  z.object({ state: z.literal("issued"), token: z.string(), before: z.string().optional() }),
  z.object({ state: z.literal("in-use"), token: z.string() }),
  z.object({ state: z.literal("revoked") }),
]);
type HostToken = z.infer<typeof hostTokenSchema>;

export interface AgentTokensOptions {
  shared: string;
  store: Pick<Store, "values" | "putValue">;
  cluster: Pick<Cluster, "publish">;
  newToken: () => string;
  logger: Logger;
  /** A host may not be connected any more. */
  onRevoked: (hostId: string) => void;
}

export class AgentTokens {
  readonly #options: AgentTokensOptions;
  #byHost = new Map<string, HostToken>();
  #sharedAccepted = true;

  /** @param values of the store, as they were read last */
  constructor(options: AgentTokensOptions, values: ReadonlyMap<string, string>) {
    this.#options = options;
    this.#take(values);
  }

  /** Tokens that open to this host now; a token that is shown must be one of them. */
  accepted(hostId: string): string[] {
    const own = this.#byHost.get(hostId);
    const shared = this.#sharedAccepted ? [this.#options.shared] : [];
    switch (own?.state) {
      case undefined:
        return shared;
      case "issued":
        return [own.token, ...(own.before === undefined ? shared : [own.before])];
      case "in-use":
        return [own.token];
      case "revoked":
        return [];
      default: {
        const never: never = own;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  /** True if this is the shared one. */
  isShared(token: string | undefined): boolean {
    return token === this.#options.shared;
  }

  /** The host has joined with this token: what it had before does not open any more. */
  joined(hostId: string, token: string): void {
    const own = this.#byHost.get(hostId);
    if (own?.state !== "issued" || own.token !== token) return;
    this.#put(hostId, { state: "in-use", token }).catch((cause: unknown) =>
      this.#options.logger.warn({ hostId, cause }, "that a host uses its new token is not on record yet"),
    );
  }

  /** For an agent that is started beside this broker: its own, the shared one, or a new one if that is refused. */
  async forAgentHere(hostId: string): Promise<string> {
    const [token] = this.accepted(hostId);
    return token ?? (await this.issue(hostId));
  }

  /**
   * Makes a token for this host. The one before is good until this one is used.
   * @throws CentroidError STORE_UNAVAILABLE
   */
  async issue(hostId: string): Promise<string> {
    const token = this.#options.newToken();
    await this.#put(hostId, succeeding(this.#byHost.get(hostId), token));
    this.#options.cluster.publish("agent-tokens", {});
    return token;
  }

  /**
   * From now on nobody joins as this host, with whatever token, until there is a new one for it.
   * @throws CentroidError STORE_UNAVAILABLE
   */
  async revoke(hostId: string): Promise<void> {
    await this.#put(hostId, { state: "revoked" });
    this.#options.cluster.publish("agent-tokens", {});
    this.#options.onRevoked(hostId);
  }

  /** True if there is, or was, a token of this host's own. */
  has(hostId: string): boolean {
    return this.#byHost.has(hostId);
  }

  /** Whether the shared token opens to hosts without one of their own. @throws CentroidError STORE_UNAVAILABLE */
  async acceptShared(accepted: boolean): Promise<void> {
    await this.#options.store.putValue(SHARED, accepted ? undefined : REFUSED);
    this.#sharedAccepted = accepted;
    this.#options.cluster.publish("agent-tokens", {});
  }

  /** Another broker may have changed something. */
  async reload(): Promise<void> {
    const before = this.#byHost;
    this.#take(await this.#options.store.values());
    for (const [hostId, { state }] of this.#byHost)
      if (state === "revoked" && before.get(hostId)?.state !== "revoked") this.#options.onRevoked(hostId);
  }

  #take(values: ReadonlyMap<string, string>): void {
    this.#sharedAccepted = values.get(SHARED) !== REFUSED;
    this.#byHost = new Map();
    for (const [name, value] of values)
      if (name.startsWith(PREFIX))
        this.#byHost.set(name.slice(PREFIX.length), hostTokenSchema.parse(JSON.parse(value)));
  }

  async #put(hostId: string, own: HostToken): Promise<void> {
    await this.#options.store.putValue(PREFIX + hostId, JSON.stringify(own));
    this.#byHost.set(hostId, own);
  }
}

/** What a new token makes of what there was. */
function succeeding(own: HostToken | undefined, token: string): HostToken {
  switch (own?.state) {
    case undefined:
      return { state: "issued", token };
    case "issued":
      return { ...own, token };
    case "in-use":
      return { state: "issued", token, before: own.token };
    case "revoked":
      return { state: "in-use", token };
    default: {
      const never: never = own;
      throw new CentroidError("INTERNAL", JSON.stringify(never));
    }
  }
}
