/** The gateway that shares this broker's port, as the broker sees it; whoever starts the broker brings it along. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { GatewayDirectory } from "@centroid/protocol";

export interface PlayerSockets extends Disposable {
  /** Takes an upgrade whose path is a room's or a beacon's; any other is left to the broker. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): "taken" | "not-mine" | "too-many";
}

/** What such a gateway is made from. */
export interface PlayerSocketsParts {
  gatewayId: string;
  directory: GatewayDirectory;
  trustProxy: readonly string[] | undefined;
  addressKey: (address: string) => string;
  /** False: no limits per address. */
  limited: boolean;
}
