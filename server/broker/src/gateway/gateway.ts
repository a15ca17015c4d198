/**
 * Players' sockets through this process: `/PROCESS/ROOM` goes to the room's host, `/centroid/v1/beacon/HOST` to the host's
 * beacon. One public origin is then enough for a deployment. Frames are not looked at; limits on what a player sends are
 * the room host's, and limits on who asks how often are the broker's.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { BEACON_PATH, networkSchema, RESTORE_QUERY } from "@centroid/protocol";
import type { Directory, SocketLookup } from "./directory.js";
import { Refusal } from "./refusal.js";
import { tunnel } from "./tunnel.js";

/** What the room host closes is gone at once; so many at the same time are a flood, not players. */
export const MAX_PER_ADDRESS = 4_096;

export interface GatewayOptions {
  directory: Directory;
  /** Who really asks, where a trusted proxy asks for somebody. */
  addressOf: (request: IncomingMessage) => string;
  /** By which connections of one address are counted. */
  addressKey: (address: string) => string;
  /** Connections of one address at the same time; no limit if not given. */
  maxPerAddress?: number | undefined;
}

export type Admission = "taken" | "not-mine" | "too-many";

export class Gateway implements Disposable {
  readonly #options: GatewayOptions;
  readonly #refusal = new Refusal();
  readonly #ending = new AbortController();
  /** Open connections by address. */
  readonly #open = new Map<string, number>();

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Connections that are carried just now. */
  get size(): number {
    let size = 0;
    for (const count of this.#open.values()) size += count;
    return size;
  }

  /** Who really asks. */
  addressOf(request: IncomingMessage): string {
    return this.#options.addressOf(request);
  }

  /** Takes an upgrade whose path is a room's or a beacon's; any other is left to the caller. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Admission {
    const url = request.url ?? "/";
    const at = url.indexOf("?");
    const path = (at < 0 ? url : url.slice(0, at)).replace(/^\/+/, "/");
    const search = at < 0 ? "" : url.slice(at);
    const query = new URLSearchParams(search);
    const found = this.#find(path, query);
    if (found === undefined) return "not-mine";
    const clientAddress = this.addressOf(request);
    const key = this.#options.addressKey(clientAddress);
    const open = this.#open.get(key) ?? 0;
    if (open >= (this.#options.maxPerAddress ?? Number.POSITIVE_INFINITY)) return "too-many";
    // A session that follows its room is told to look again; Colyseus' own clients what Colyseus would tell them.
    const follows = query.has("ticket") || query.has(RESTORE_QUERY);
    switch (found.type) {
      case "away":
        this.#refusal.away(request, socket, head);
        return "taken";
      case "unknown":
        if (follows) this.#refusal.away(request, socket, head);
        else this.#refusal.expired(request, socket, head, query.has("reconnectionToken"));
        return "taken";
      case "target": {
        this.#open.set(key, open + 1);
        const onUnreachable = (): void => this.#refusal.away(request, socket, head);
        const { signal } = this.#ending;
        const { target } = found;
        void tunnel({ request, socket, head, target, search, clientAddress, onUnreachable, signal }).then(
          () => this.#closed(key),
        );
        return "taken";
      }
      default: {
        const never: never = found;
        throw new RangeError(`unknown ${String(never)}`);
      }
    }
  }

  #find(path: string, query: URLSearchParams): SocketLookup | undefined {
    const { directory } = this.#options;
    if (path.startsWith(BEACON_PATH)) {
      const network = networkSchema.safeParse(query.get("network") ?? undefined);
      return directory.beacon(path.slice(BEACON_PATH.length), network.success ? network.data : undefined);
    }
    const [, processId, roomId] = /^\/([^/]+)\/([^/]+)\/?$/.exec(path) ?? [];
    if (processId === undefined || roomId === undefined) return undefined;
    return directory.room(processId, roomId, query.get("sessionId"));
  }

  #closed(key: string): void {
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    this.#refusal[Symbol.dispose]();
  }
}
