/**
 * What several brokers agree on: who is there, which of them decides about which room, and what one of them
 * heard that the others must know. One broker alone is a cluster too.
 */
import { z } from "zod";

export interface Member {
  brokerId: string;
  /** `http://host:port` under which the other brokers reach it. */
  url: string;
}

/** Passed between brokers; `kind` says who parses `body`. */
export const clusterMessageSchema = z.object({
  from: z.string(),
  kind: z.enum(["event", "host-state", "host-asked", "host-heard", "place", "gateway-legs", "agent-tokens"]),
  body: z.unknown(),
});
/** What one broker tells the others. */
export type ClusterMessage = z.infer<typeof clusterMessageSchema>;

/** What a broker hears of its cluster. */
export interface ClusterEvents {
  /** This broker decides about the rooms of these shards from now on: whatever was open is its to end. */
  acquired: (shards: readonly number[]) => void;
  /** This broker does not any more. */
  released: (shards: readonly number[]) => void;
  /** Another broker than before decides about the rooms of these shards, and it is not this one. */
  dealt: (shards: readonly number[]) => void;
  /** From another broker, never from this one. */
  message: (message: ClusterMessage) => void;
}

/** One broker's part in a group of brokers that share a store. */
export interface Cluster extends AsyncDisposable {
  /**
   * Takes part from now on; resolves when this broker is known to the others and has its first shards.
   * @param self how the others reach this broker
   * @throws CentroidError STORE_UNAVAILABLE if the store is away; to be called again then
   */
  join(self: Member, events: ClusterEvents): Promise<void>;
  /** True while this broker holds the lease of the room's shard. */
  owns(roomId: string): boolean;
  /** Who holds it, if that is known. */
  ownerOf(roomId: string): Member | undefined;
  /** Fencing token of the shard as this broker holds it: that of one grant, never given again. Empty if it does not. */
  tokenOf(roomId: string): string;
  members(): readonly Member[];
  /** True while what this broker asks of the others gets to them, as far as it can know. */
  reachable(): boolean;
  /** Brokers besides this one that count, for all that is known. */
  others(): readonly Member[];
  /**
   * The same as they are on record at some moment from now on.
   * @throws CentroidError STORE_UNAVAILABLE
   */
  othersNow(): Promise<readonly Member[]>;
  /** How long this broker counts from now on, whatever happens: until then nobody gives up a host without asking it. */
  countsForMs(): number;
  /** Another number whenever it may not have counted for a while, so that nobody asked it; 0 before it has joined. */
  term(): number;
  /** To all other brokers, as soon as possible, at most once. */
  publish(kind: ClusterMessage["kind"], body: unknown): void;
}
