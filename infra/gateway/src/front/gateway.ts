/**
 * Takes players' sockets: `/PROCESS/ROOM` is carried to the room, wherever that is and goes; `/centroid/v1/beacon/HOST`
 * to the host's beacon, byte by byte, since a beacon measures the way; `/centroid/v1/beacon/` ends here. What a request
 * says is looked up and never dialled, so nobody reaches through a gateway what players cannot reach anyway. Limits on
 * what a player sends are the room host's; here only connections are counted.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  BEACON_PATH,
  CONTROL_QUERY,
  type GatewayDirectory,
  networkSchema,
  RESTORE_QUERY,
  type RoomLookup,
} from "@centroid/protocol";
import { HeldSession } from "../sessions/held-session.js";
import { PassedSession } from "../sessions/passed-session.js";
import { type PlayerEvents, PlayerSocket } from "../sessions/player-socket.js";
import { SessionDialer } from "../sessions/session-dialer.js";
import { TurnEnd } from "../sessions/turn-end.js";
import { TrunkPool } from "../trunk/trunk-pool.js";
import { HostMeter } from "../ways/host-meter.js";
import { OwnBeacon } from "../ways/own-beacon.js";
import { PlayerMeter } from "../ways/player-meter.js";
import { answerHandshake } from "../websocket/handshake.js";
import { clientAddresses } from "./client-address.js";
import { passedOn } from "./passed-headers.js";
import { Refusal } from "./refusal.js";
import { tunnel } from "./tunnel.js";

/** What the room host closes is gone at once; so many at the same time are a flood, not players. */
export const MAX_PER_ADDRESS = 4_096;
/** A player who has not answered from one check to the next is gone. */
const CHECK_MS = 30_000;

export interface GatewayOptions {
  gatewayId: string;
  directory: GatewayDirectory;
  /** Addresses of proxies that are believed whom they ask for. */
  trustProxy?: readonly string[] | undefined;
  /** Connections of one address at the same time; no limit if not given. */
  maxPerAddress?: number | undefined;
  /** By which connections of one address are counted. */
  addressKey: (address: string) => string;
  /** Pause between pings to a newcomer whose client does not measure itself. */
  measureMs?: number | undefined;
}

export type Admission = "taken" | "not-mine" | "too-many";

interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

/** The path of an upgrade, as far as a gateway knows it. */
type Wanted =
  | { type: "room"; processId: string; roomId: string; query: URLSearchParams; search: string }
  | { type: "beacon"; hostId: string; network: string | undefined; search: string };

export class Gateway implements Disposable {
  readonly #options: GatewayOptions;
  readonly #addressOf: (request: IncomingMessage) => string;
  readonly #refusal = new Refusal();
  readonly #ending = new AbortController();
  readonly #trunks: TrunkPool;
  readonly #dialer: SessionDialer;
  readonly #turnEnd = new TurnEnd(setImmediate);
  /** Open connections by address. */
  readonly #open = new Map<string, number>();
  readonly #checks: NodeJS.Timeout;
  readonly #sessions = new Set<HeldSession | PassedSession>();
  readonly #beacon: OwnBeacon;
  readonly #meter: HostMeter;
  readonly #players: PlayerMeter;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#addressOf = clientAddresses(options.trustProxy);
    this.#trunks = new TrunkPool(options.gatewayId);
    this.#dialer = new SessionDialer({ directory: options.directory, trunks: this.#trunks });
    this.#checks = setInterval(() => {
      for (const session of this.#sessions) session.check();
    }, CHECK_MS);
    this.#checks.unref();
    this.#beacon = new OwnBeacon(options.gatewayId);
    this.#players = new PlayerMeter({ directory: options.directory, measureMs: options.measureMs });
    this.#meter = new HostMeter({ directory: options.directory, wanted: () => this.#open.size > 0 });
    this.#meter.start();
  }

  /** Connections that are carried just now. */
  get size(): number {
    let size = 0;
    for (const count of this.#open.values()) size += count;
    return size;
  }

  /** Who really asks, where a trusted proxy asks for somebody. */
  addressOf(request: IncomingMessage): string {
    return this.#addressOf(request);
  }

  /** Takes an upgrade whose path is a room's or a beacon's; any other is left to the caller. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Admission {
    const wanted = wantedBy(request.url ?? "/");
    if (wanted === undefined) return "not-mine";
    const address = this.addressOf(request);
    const key = this.#options.addressKey(address);
    const open = this.#open.get(key) ?? 0;
    if (open >= (this.#options.maxPerAddress ?? Number.POSITIVE_INFINITY)) return "too-many";
    this.#open.set(key, open + 1);
    this.#countUntilClosed(socket, key);
    this.#meter.soon();
    const upgrade = { request, socket, head };
    if (wanted.type === "beacon" && wanted.hostId === "") {
      this.#beacon.accept(request, socket, head);
      return "taken";
    }
    const taken =
      wanted.type === "room"
        ? this.#toRoom(wanted, address, upgrade)
        : this.#toBeacon(wanted, address, upgrade);
    taken.catch(() => this.#refusal.away(request, socket, head));
    return "taken";
  }

  /** Lets players come again elsewhere, with what they were told so far. */
  drain(): void {
    for (const session of this.#sessions) session.end();
  }

  async #toRoom(
    wanted: Extract<Wanted, { type: "room" }>,
    address: string,
    { request, socket, head }: Upgrade,
  ): Promise<void> {
    const { directory } = this.#options;
    const { processId, roomId, query } = wanted;
    const sessionId = query.get("sessionId");
    const found = await directory.room(processId, roomId, sessionId);
    if (socket.destroyed || this.#ending.signal.aborted) return;
    if (found.type !== "target" || sessionId === null) {
      this.#refuse(found, query, { request, socket, head });
      return;
    }
    const passed = follows(query) || query.has(CONTROL_QUERY);
    const asker = { address, headers: passedOn(request), passed };
    const url = `ws://gateway/${encodeURIComponent(processId)}/${encodeURIComponent(roomId)}${wanted.search}`;
    if (!answerHandshake(request, socket)) return;
    const open = this.#opener(socket, head);
    const dialer = this.#dialer;
    if (passed) {
      this.#keep(socket, new PassedSession(open, dialer.dial(url, asker, found)));
      return;
    }
    const onMeasured = (rttMs: number): void => this.#players.measured({ roomId, sessionId, rttMs });
    const session = { open, url, roomId, sessionId, route: found, asker, dialer, directory, onMeasured };
    this.#hold(socket, new HeldSession(session));
  }

  #hold(stream: Duplex, session: HeldSession): void {
    this.#sessions.add(session);
    this.#players.joined(session);
    stream.once("close", () => {
      this.#sessions.delete(session);
      this.#players.left(session);
    });
  }

  #opener(stream: Duplex, head: Buffer): (events: PlayerEvents) => PlayerSocket {
    return (events) => new PlayerSocket(stream, head, this.#turnEnd, events);
  }

  #keep(stream: Duplex, session: HeldSession | PassedSession): void {
    this.#sessions.add(session);
    stream.once("close", () => this.#sessions.delete(session));
  }

  /** A method of its own: its listeners live as long as the socket, and must not keep the request. */
  #countUntilClosed(socket: Duplex, key: string): void {
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#closed(key));
  }

  #refuse(found: RoomLookup, query: URLSearchParams, { request, socket, head }: Upgrade): void {
    // A session that follows its room is told to look again; Colyseus' own clients what Colyseus would tell them.
    if (found.type === "away" || follows(query)) this.#refusal.away(request, socket, head);
    else this.#refusal.expired(request, socket, head, query.has("reconnectionToken"));
  }

  async #toBeacon(
    { hostId, network, search }: Extract<Wanted, { type: "beacon" }>,
    clientAddress: string,
    { request, socket, head }: Upgrade,
  ): Promise<void> {
    const found = await this.#options.directory.beacon(hostId, network);
    if (socket.destroyed) return;
    const target = found.type === "target" ? targetOf(found.address) : undefined;
    if (target === undefined) {
      this.#refusal.away(request, socket, head);
      return;
    }
    const onUnreachable = (): void => this.#refusal.away(request, socket, head);
    const { signal } = this.#ending;
    await tunnel({ request, socket, head, target, search, clientAddress, onUnreachable, signal });
  }

  #closed(key: string): void {
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    this.drain();
    this.#refusal[Symbol.dispose]();
    this.#beacon[Symbol.dispose]();
    this.#meter[Symbol.dispose]();
    this.#players[Symbol.dispose]();
    clearInterval(this.#checks);
    this.#trunks[Symbol.dispose]();
  }
}

/** Only Centroid's SDK comes again in this way, and follows its room itself. */
const follows = (query: URLSearchParams): boolean => query.has("ticket") || query.has(RESTORE_QUERY);

function wantedBy(url: string): Wanted | undefined {
  const at = url.indexOf("?");
  // Some clients double the slash between the address and the path.
  const path = (at < 0 ? url : url.slice(0, at)).replace(/^\/+/, "/");
  const search = at < 0 ? "" : url.slice(at);
  const query = new URLSearchParams(search);
  if (path.startsWith(BEACON_PATH)) {
    const network = networkSchema.safeParse(query.get("network") ?? undefined);
    return {
      type: "beacon",
      hostId: path.slice(BEACON_PATH.length),
      network: network.success ? network.data : undefined,
      search,
    };
  }
  const [, processId, roomId] = /^\/([^/]+)\/([^/]+)\/?$/.exec(path) ?? [];
  if (processId === undefined || roomId === undefined) return undefined;
  return { type: "room", processId, roomId, query, search };
}

/** @param address `host:port[/path]` */
function targetOf(address: string): { hostname: string; port: number; path: string } | undefined {
  const [, host, port, path] = /^(\[[^\]]+\]|[^:/[\]]+):(\d+)(\/.*)?$/.exec(address) ?? [];
  if (host === undefined) return undefined;
  return { hostname: host.replace(/^\[|\]$/g, ""), port: Number(port), path: path ?? "/" };
}
