/**
 * HTTP answers of the broker that players' SDKs read, in a browser too: `zod/mini` keeps the SDK small there, and is
 * as good as the rest of zod where these are put into other schemas.
 */
import * as z from "zod/mini";

/** Ids travel in URLs and log lines, so they are short and plain. */
export const ID = /^[A-Za-z0-9_.:-]{1,64}$/;
export const ID_RULE = "1-64 letters, digits, or one of _ . : -";
export const playerSideIdSchema = z.string().check(z.regex(ID, ID_RULE));
const id = playerSideIdSchema;

/**
 * What a player calls its network. Travels in URLs: no control characters, no half of a surrogate pair, nothing that a
 * URL parser takes for a step up.
 */
export const NETWORK = /^(?!\.{1,2}$)[^\p{Cc}\p{Cs}]*$/u;
export const NETWORK_RULE = "up to 64 printable characters, not . or ..";
export const playerNetworkSchema = z.string().check(z.maxLength(64), z.regex(NETWORK, NETWORK_RULE));
export const playerLocationSchema = z.object({
  latitude: z.number().check(z.minimum(-90), z.maximum(90)),
  longitude: z.number().check(z.minimum(-180), z.maximum(180)),
});

/** Hosts in one report. */
export const MAX_REPORTS = 64;

/** Round trips to one host since the last report. A lost probe is counted, not timed. */
export const probeReportSchema = z.object({
  hostId: id,
  rttsMs: z.array(z.number()).check(z.maxLength(32)),
  lost: z._default(z.int().check(z.minimum(0), z.maximum(32)), 0),
});
export type ProbeReport = z.infer<typeof probeReportSchema>;

/**
 * How a player's sockets reach rooms and beacons: at the hosts' own addresses (if nothing is said), or through the
 * broker, at the origin by which the player reached it.
 */
const waySchema = z.enum(["direct", "gateway"]);
export type Way = z.infer<typeof waySchema>;

/** A player names so many gateways at most in a report. */
export const MAX_COMPARED_GATEWAYS = 8;

/** Round trips to one gateway, measured against the gateway itself. */
const gatewayReportSchema = z.object({ gatewayId: id, rttsMs: z.array(z.number()).check(z.maxLength(32)) });
export type GatewayReport = z.infer<typeof gatewayReportSchema>;

/** `POST /centroid/v1/probes` */
export const probeRequestSchema = z.object({
  playerId: id,
  playerToken: z.string().check(z.maxLength(200)),
  network: z.optional(playerNetworkSchema),
  location: z.optional(playerLocationSchema),
  probes: z.array(probeReportSchema).check(z.maxLength(MAX_REPORTS)),
  /** A room that this player is in: any broker finds the one that knows its players by that. */
  roomId: z.optional(id),
  /** `direct`: this player has measured its room's host at the host's own address, and goes there now. */
  way: z.optional(waySchema),
  /** By which gateway this player's session comes; none if it goes to the hosts themselves. */
  gatewayId: z.optional(id),
  /** Gateways that could carry it, if they were measured. */
  gateways: z.optional(z.array(gatewayReportSchema).check(z.maxLength(MAX_COMPARED_GATEWAYS))),
});
export type ProbeRequest = z.infer<typeof probeRequestSchema>;

/** Among matchmaking options: what the SDK adds for the broker; the room never sees it. */
export const CENTROID_OPTIONS_KEY = "~centroid";

export const hostSummarySchema = z.object({
  hostId: id,
  name: z.string(),
  latitude: z.number(),
  longitude: z.number(),
});
/** A host as players are told of it. */
export type HostSummary = z.infer<typeof hostSummarySchema>;

/** A player is told of so many gateways at most. */
export const MAX_GATEWAYS = 16;

/** `http(s)://host[:port][/path]` of gateways, any of which carries the session. */
const gatewaysSchema = z.array(z.string().check(z.maxLength(200))).check(z.maxLength(MAX_GATEWAYS));

/**
 * WebSocket of a host's beacon through a gateway: this path and the host's id. Without an id it is the gateway's own, which
 * adds the gateway's id to each echo: behind one URL there may be several.
 */
export const BEACON_PATH = "/centroid/v1/beacon/";

/** A `url` that is a path is one of the broker's own, whatever name that was reached by. */
export const beaconSchema = z.extend(hostSummarySchema, { url: z.string() });
export type Beacon = z.infer<typeof beaconSchema>;

/**
 * HTTP status (RFC 6585, 3), and so Colyseus' code, of the answer to a joiner whose room depends on where it is, while
 * nothing is known of that. One that says that it can measure asks again with what it measured.
 */
export const MEASURE_FIRST_STATUS = 428;

/** A Colyseus seat reservation plus what the Centroid SDK needs; stock clients ignore the rest. */
export const seatReservationSchema = z.object({
  name: z.string(),
  sessionId: z.string(),
  roomId: id,
  processId: z.string(),
  /** `host:port[/path]` that every Colyseus SDK dials; if not given, where it asked for the seat. */
  publicAddress: z.optional(z.string()),
  reconnectionToken: z.optional(z.string()),
  centroid: z.object({
    protocol: z.int(),
    host: hostSummarySchema,
    way: z.optional(waySchema),
    gateways: z.optional(gatewaysSchema),
    epoch: z.int(),
    playerId: id,
    /** Proves to be this player, for a day: to report what it measured, and to be given the same id again. */
    playerToken: z.string(),
    /** What to measure at once: the room's host, and the few that tell where a newcomer is. */
    beacons: z.optional(z.array(beaconSchema)),
  }),
});
export type SeatReservation = z.infer<typeof seatReservationSchema>;

/** Type of the message by which a room tells a player of its seat in another room: a Colyseus seat reservation. */
export const TRAVEL_MESSAGE = "centroid:travel";
/** What such a message holds; everything else in it is Colyseus' own. */
export const travelSeatSchema = z.looseObject({ roomId: id, sessionId: z.string() });

/** `GET /centroid/v1/beacons`: the few hosts a newcomer measures to get its place in latency space. */
export const beaconListSchema = z.object({ protocol: z.int(), beacons: z.array(beaconSchema) });
export type BeaconList = z.infer<typeof beaconListSchema>;

/** A player is asked to measure so many hosts at once at most. */
export const MAX_NEXT = 4;

export const probeResponseSchema = z.object({
  /** Hosts worth confirming next. */
  next: z.array(beaconSchema).check(z.maxLength(MAX_NEXT)),
  /** When to report again; grows while nothing changes. */
  intervalMs: z.number(),
  /** By this one the room's host is clearly nearer. */
  gatewayId: z.optional(id),
  /** The room's host at its own address, which this player may be able to reach without a gateway. */
  direct: z.optional(beaconSchema),
  /** Reports not used, with the reason. */
  rejected: z.array(z.object({ hostId: id, reason: z.string() })),
  /** In place of the player's token, once that has half its life behind it. */
  playerToken: z.optional(z.string()),
});
export type ProbeResponse = z.infer<typeof probeResponseSchema>;

/** `GET /centroid/v1/rooms`: rooms that a player may choose from. */
export const availableRoomsSchema = z.object({
  rooms: z.array(
    z.object({
      roomId: id,
      name: z.string(),
      clients: z.int(),
      /** If not given, as many as come. */
      maxClients: z.optional(z.int()),
      createdAtMs: z.number(),
      /** What the room said of itself with `setMetadata()`. */
      metadata: z.optional(z.unknown()),
    }),
  ),
});
export type AvailableRooms = z.infer<typeof availableRoomsSchema>;

/** `GET /centroid/v1/where/:roomId`: where a player whose connection broke finds its room now. */
export const whereSchema = z.object({
  roomId: id,
  processId: z.string(),
  publicAddress: z.optional(z.string()),
  way: z.optional(waySchema),
  gateways: z.optional(gatewaysSchema),
  epoch: z.int(),
  host: hostSummarySchema,
  /** That host is lost and another does not run the room yet. */
  restoring: z.optional(z.boolean()),
});
export type Where = z.infer<typeof whereSchema>;
