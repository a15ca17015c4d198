/** What a broker reads from its store before it can start: its secrets, and what an earlier broker, or others, left. */
import { randomBytes } from "node:crypto";
import type { Receipt } from "@centroid/protocol";
import type { NewId } from "./base/ids.js";
import type { BrokerOptions } from "./options.js";
import type { JournalEntry, RoomRecord, Store } from "./store/store.js";

/** Everything that a start needs of the store. */
export interface Recalled {
  adminToken: string;
  viewerToken: string;
  agentToken: string;
  gatewayToken: string;
  grantKey: string;
  playerKey: string;
  brokerId: string;
  remembered: Map<string, RoomRecord>;
  open: JournalEntry[];
  /** Oldest first. */
  recentReceipts: Receipt[];
  /** Small values by name: leases, hosts' tokens. */
  values: ReadonlyMap<string, string>;
}

/** 256 random bits. */
export const newToken = (): string => randomBytes(32).toString("base64url");

/** @throws CentroidError STORE_UNAVAILABLE; to be called again then, nothing is made twice */
export async function recall(
  options: Pick<BrokerOptions, "adminToken" | "viewerToken" | "agentToken" | "gatewayToken" | "cluster">,
  store: Store,
  newId: NewId,
  receipts: number,
): Promise<Recalled> {
  const secret = (name: string): Promise<string> => store.secret(name, newToken);
  return {
    adminToken: options.adminToken ?? (await secret("admin-token")),
    viewerToken: options.viewerToken ?? (await secret("viewer-token")),
    agentToken: options.agentToken ?? (await secret("agent-token")),
    gatewayToken: options.gatewayToken ?? (await secret("gateway-token")),
    grantKey: await secret("room-grants"),
    playerKey: await secret("player-tokens"),
    // Alone, a broker that starts again is the same one; among others each start is a broker of its own.
    brokerId: options.cluster === undefined ? await store.secret("broker-id", newId) : newId(),
    remembered: new Map((await store.rooms()).map((room) => [room.roomId, room])),
    open: await store.openMigrations(),
    recentReceipts: (await store.receipts({ limit: receipts })).reverse(),
    values: await store.values(),
  };
}
