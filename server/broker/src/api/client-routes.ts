/** What players call: matchmaking as Colyseus has it, and the few routes of the SDK. Open to every origin. */
import {
  BEACON_PATH,
  type Beacon,
  CENTROID_OPTIONS_KEY,
  CentroidError,
  MAX_PLAYER_BODY_BYTES,
  matchmakeMethodSchema,
  PROTOCOL_VERSION,
  playerRoutes,
  type SeatReservation,
  type Way,
} from "@centroid/protocol";
import cors from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import { RateLimiter } from "../base/rate-limit.js";
import { mayReach } from "../gateway/direct-way.js";
import {
  type Approach,
  byPlainGateway,
  gatewayIn,
  type WayFields,
  wayFields,
  wayOf,
} from "../gateway/way.js";
import { type AddressBook, translateUrl } from "../hosts/address-book.js";
import { type HostEntry, type HostRegistry, hostSummary } from "../hosts/host-registry.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlayerEntry, PlayerRegistry } from "../probes/player-registry.js";
import type { PlayerReports } from "../probes/player-reports.js";
import { neighbourhoodOf } from "../probes/stand-ins.js";
import { shuttingDown } from "../rooms/end-rooms.js";
import type { EndedRooms } from "../rooms/ended-rooms.js";
import { type RoomRegistry, seatsTaken } from "../rooms/room-registry.js";
import { colyseusBody, httpStatusOf } from "../seats/colyseus-errors.js";
import type { Caller } from "../seats/join-request.js";
import type { Matchmaker } from "../seats/matchmaker.js";
import type { PlayerIdentity } from "../seats/player-identity.js";
import { toCentroidError, withRetryAfter } from "./http-errors.js";
import type { Metrics } from "./metrics.js";
import { serveRoute } from "./serve-route.js";

/** More than a page shows; a game with more of them has a lobby of its own. */
const MAX_LISTED = 1_000;
/** How long a browser remembers what it may ask. */
const PREFLIGHT_S = 86_400;

export interface ClientRoutesOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  players: PlayerRegistry;
  matchmaker: Matchmaker;
  playerReports: PlayerReports;
  engine: PlacementEngine;
  identity: PlayerIdentity;
  addresses: AddressBook;
  /** Where players reach this broker, if the operator says so: sockets come there too. */
  publicUrl: URL | undefined;
  /** The gateway on this broker's own port. */
  gatewayId: string;
  /** Where players reach gateways of their own processes. */
  gatewayUrls: () => readonly string[];
  /** Players whose client is stock come by the gateway on this port. */
  carryStockPlayers: boolean;
  ended: EndedRooms;
  /** Rooms from before the start whose hosts have not come back yet. */
  remembered: ReadonlyMap<string, unknown>;
  clock: Clock;
  metrics: Metrics;
  /** Aborted: nobody may come in any more. */
  closing: AbortSignal;
}

/** Reports of one player: several times what the SDK sends when it is told to hurry. */
const REPORTS = { perSecond: 10, burst: 50 };

const matchParamsSchema = z.object({ method: matchmakeMethodSchema, target: z.string().min(1).max(128) });

export async function clientRoutes(app: FastifyInstance, o: ClientRoutesOptions): Promise<void> {
  // Colyseus' client sends credentials, so the origin itself must be named.
  await app.register(cors, { origin: true, credentials: true, preflight: false });
  // Asked beforehand (Fetch, 3.2.2), for these routes only: an answer for all would let foreign pages call operators' too.
  for (const url of ["/matchmake/*", "/centroid/v1/*"])
    app.options(url, { schema: { hide: true } }, async ({ headers }, reply) =>
      reply
        .code(204)
        .header("access-control-allow-methods", "GET,HEAD,POST")
        .header("access-control-allow-headers", headers["access-control-request-headers"] ?? "content-type")
        .header("access-control-max-age", PREFLIGHT_S)
        .send(),
    );
  // Colyseus reads a form, and takes every other body for no options.
  app.addContentTypeParser("*", { parseAs: "string" }, (request, body, done) => {
    const form = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
    done(null, form ? Object.fromEntries(new URLSearchParams(body.toString())) : undefined);
  });
  const reporters = new RateLimiter(REPORTS, o.clock);
  const approachOf = ({ headers, raw: { socket } }: FastifyRequest): Approach => ({
    headers,
    encrypted: "encrypted" in socket,
    localPort: socket.localPort,
  });
  const wayFor = (request: FastifyRequest): Way => wayOf(o.publicUrl, approachOf(request));
  /** The host's own address instead of the gateway that the request came by. */
  const isDirect = (request: FastifyRequest, address: string): boolean =>
    byPlainGateway(o.publicUrl, approachOf(request)) && mayReach(request.ip, address);
  const reached = (request: FastifyRequest, address: string | undefined): WayFields =>
    wayFields(wayFor(request), o.publicUrl, address);

  /** Of the room's host, if the player may be able to do without its gateway. */
  const directBeacon = (roomId: string, network: string | undefined, request: FastifyRequest) => {
    const host = o.hosts.get(o.rooms.get(roomId)?.stage.hostId ?? "");
    if (host === undefined) return undefined;
    const found = beacon(o.addresses, host, network, "direct");
    return isDirect(request, new URL(found.url).host) ? found : undefined;
  };

  /** Any of them carries a session whose own gateway is lost. */
  const gatewaysFor = (way: Way | undefined): { gateways?: string[] } => {
    const gateways = way === "gateway" ? [...o.gatewayUrls()] : [];
    return gateways.length === 0 ? {} : { gateways };
  };

  app.post<{ Params: { method: string; target: string } }>(
    "/matchmake/:method/:target",
    {
      bodyLimit: MAX_PLAYER_BODY_BYTES,
      errorHandler: (cause, request, reply) => {
        const error = toCentroidError(cause as Error);
        if (error.code === "INTERNAL") request.log.error(cause);
        const body = colyseusBody(error, request.params.method);
        o.metrics.matchmake.inc({ method: known(request.params.method), outcome: error.code });
        return withRetryAfter(reply, error).code(httpStatusOf(body.code)).send(body);
      },
    },
    async (request, reply) => {
      const params = matchParamsSchema.safeParse(request.params);
      if (!params.success) throw new CentroidError("NOT_FOUND", `invalid method "${request.params.method}"`);
      if (o.closing.aborted) throw shuttingDown();
      const { method, target } = params.data;
      const startedAtMs = o.clock.now();
      const stock = o.carryStockPlayers && !isSdk(request.body);
      const carried = stock || wayFor(request) === "gateway";
      const { publicAddress, ...reservation } = await o.matchmaker.match(
        method,
        target,
        request.body,
        caller(request),
        request.ip,
        gatewayIn(request.headers) ?? (carried ? o.gatewayId : undefined),
      );
      o.metrics.matchmake.inc({ method, outcome: "ok" });
      o.metrics.matchmakeSeconds.observe({ method }, (o.clock.now() - startedAtMs) / 1000);
      const { way, ...named } = stock
        ? wayFields("gateway", o.publicUrl, undefined)
        : reached(request, publicAddress);
      const centroid = {
        ...reservation.centroid,
        ...(way !== undefined && { way }),
        ...gatewaysFor(way),
        ...(isSdk(request.body) && { beacons: toMeasure(o, reservation.centroid, wayFor(request)) }),
      };
      // Written at once: this is the busiest route and its shape is our own.
      return reply
        .header("content-type", "application/json")
        .send(JSON.stringify({ ...reservation, ...named, centroid }));
    },
  );

  serveRoute(app, playerRoutes.beacons, async ({ query: { network, hosts } }, request) => {
    const wanted = named(o.hosts, hosts === undefined ? o.engine.firstProbes() : hosts.split(","));
    return {
      protocol: PROTOCOL_VERSION,
      beacons: wanted.map((host) => beacon(o.addresses, host, network, wayFor(request))),
    };
  });

  serveRoute(app, playerRoutes.probes, async ({ body }, request) => {
    const { playerToken, roomId, ...said } = body;
    const { playerId, network, probes } = said;
    const renewed = await o.identity.renew(playerId, playerToken);
    if (renewed === undefined)
      throw new CentroidError(
        "UNAUTHORIZED",
        "this player token is wrong or has expired; join a room to get a new one",
      );
    if (!reporters.admit(playerId))
      throw new CentroidError(
        "RATE_LIMITED",
        "this player reports too often; wait for the intervalMs of the last answer",
      );
    const player = o.players.get(playerId);
    const place = neighbourhoodOf(request.ip, network ?? player?.network);
    const answer = await o.playerReports.report({ ...said, place }, roomId);
    const at = said.gateways === undefined ? undefined : (roomId ?? firstRoomOf(player));
    const direct = at === undefined ? undefined : directBeacon(at, network ?? player?.network, request);
    const { rejected, intervalMs, gatewayId } = answer;
    o.metrics.probes.inc({ outcome: "rejected" }, rejected.length);
    o.metrics.probes.inc({ outcome: "accepted" }, probes.length - Math.min(probes.length, rejected.length));
    const next = answer.next
      .flatMap((hostId) => o.hosts.get(hostId) ?? [])
      .map((host) => beacon(o.addresses, host, network, wayFor(request)));
    return {
      next,
      intervalMs,
      ...(gatewayId !== undefined && { gatewayId }),
      ...(direct !== undefined && { direct }),
      rejected,
      ...(renewed !== playerToken && { playerToken: renewed }),
    };
  });

  serveRoute(app, playerRoutes.rooms, async ({ query: { name } }) => {
    const listed = [...o.rooms.values()].filter(
      ({ name: type, stage, listing }) =>
        (name === undefined || type === name) &&
        stage.state !== "creating" &&
        stage.state !== "disposed" &&
        !listing.locked &&
        listing.private !== true &&
        listing.unlisted !== true,
    );
    return {
      rooms: listed.slice(0, MAX_LISTED).map(({ roomId, name, createdAtMs, listing, ...room }) => ({
        roomId,
        name,
        clients: seatsTaken(room),
        ...(listing.maxPlayers !== undefined && { maxClients: listing.maxPlayers }),
        createdAtMs,
        ...(listing.metadata !== undefined && { metadata: listing.metadata }),
      })),
    };
  });

  serveRoute(app, playerRoutes.where, async ({ params, query: { network, direct } }, request) => {
    const wanted = params.roomId;
    if (o.rooms.get(wanted) === undefined) o.ended.check(wanted);
    if (o.remembered.has(wanted)) throw isAwaited(wanted);
    const room = o.rooms.require(wanted);
    const { stage, roomId, epoch } = room;
    if (stage.state === "creating" || stage.state === "disposed")
      throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not running (${stage.state})`);
    const host = o.hosts.get(stage.hostId);
    if (host === undefined) throw isAwaited(roomId);
    // It may be lost, though nobody can say so yet: who cannot reach it there is to look on.
    const isAway = stage.state === "restoring" || host.peer === undefined;
    const address = o.addresses.translate(stage.at.address, stage.hostId, network);
    const way =
      direct !== undefined && isDirect(request, address)
        ? { publicAddress: address }
        : reached(request, address);
    return {
      roomId,
      processId: stage.at.processId,
      ...way,
      ...gatewaysFor("way" in way ? way.way : undefined),
      epoch,
      host: hostSummary(host),
      ...(isAway && { restoring: true }),
    };
  });
}

/** A room from before this broker's start: its players are to look on, as where no broker answers. */
const isAwaited = (roomId: string): CentroidError =>
  new CentroidError("NO_HOST", `room ${roomId} waits for a host; ask again shortly`);

function firstRoomOf(player: PlayerEntry | undefined): string | undefined {
  const [session] = player?.sessions.values() ?? [];
  return session?.roomId;
}

/** Its options are Centroid's SDK's, which follows a room by itself. */
function isSdk(body: unknown): boolean {
  return typeof body === "object" && body !== null && Object.hasOwn(body, CENTROID_OPTIONS_KEY);
}

/** For somebody who has just got a seat: the room's host, and, of a newcomer, what tells where it is. */
function toMeasure(
  { engine, players, hosts, addresses }: ClientRoutesOptions,
  { playerId, host }: SeatReservation["centroid"],
  way: Way,
): Beacon[] {
  const first = engine.hasMeasured(playerId) ? [] : engine.firstProbes();
  const network = players.get(playerId)?.network;
  return named(hosts, [...new Set([host.hostId, ...first])]).map((entry) =>
    beacon(addresses, entry, network, way),
  );
}

/** The request as a room's static onAuth sees it on bare Colyseus. */
function caller({ headers, ip }: FastifyRequest): Caller {
  const { authorization } = headers;
  const said: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) said[name] = Array.isArray(value) ? value.join(", ") : value;
  return {
    authToken:
      authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length) : undefined,
    request: { headers: said, address: ip },
  };
}

/** Labels of a metric must not be made up by strangers. */
function known(method: string): string {
  return matchmakeMethodSchema.safeParse(method).success ? method : "unknown";
}

function beacon(addresses: AddressBook, host: HostEntry, network: string | undefined, way: Way): Beacon {
  const { hostId, beaconUrl } = host.facts;
  if (way === "gateway") {
    const search = network === undefined ? "" : `?${new URLSearchParams({ network })}`;
    return { ...hostSummary(host), url: `${BEACON_PATH}${hostId}${search}` };
  }
  return { ...hostSummary(host), url: translateUrl(addresses, beaconUrl, hostId, network) };
}

function named(hosts: HostRegistry, hostIds: readonly string[]): HostEntry[] {
  return hostIds.slice(0, 64).flatMap((hostId) => hosts.get(hostId) ?? []);
}
