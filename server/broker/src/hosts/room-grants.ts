/**
 * Grants: every order that gives a room to a host carries one, and the host shows it when it says that it runs the
 * room. It names room, host and epoch, so that a host gets a room only where an order of a broker led. Stateless: any
 * broker with the deployment's key can check one, also after it was started again, and also if the last writes to a
 * shared store were lost.
 */
import { createHmac } from "node:crypto";
import type { AgentRequest } from "@centroid/protocol";
import { sameSecret } from "../base/secrets.js";

/** What a grant gives to whom. */
export interface Granted {
  roomId: string;
  hostId: string;
  epoch: number;
}

export class RoomGrants {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** HMAC-SHA256 (RFC 2104). */
  issue({ roomId, hostId, epoch }: Granted): string {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([roomId, hostId, epoch]))
      .digest("base64url");
  }

  valid(granted: Granted, grant: string | undefined): boolean {
    return grant !== undefined && sameSecret(this.issue(granted), grant);
  }

  /** For an order to this host; nothing for orders that give it no room. */
  forOrder(hostId: string, order: AgentRequest): string | undefined {
    switch (order.method) {
      case "createRoom":
      case "migrateIn":
      case "restoreRoom":
        return this.issue({ roomId: order.roomId, hostId, epoch: order.epoch });
      default:
        return undefined;
    }
  }
}
