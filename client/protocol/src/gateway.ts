/** Gateway <-> broker (WebSocket, JSON, the gateway dials): where a room is, and by which right a session is carried there. */
import { z } from "zod";
import { wireErrorSchema } from "./errors.js";
import { idSchema, networkSchema } from "./model.js";
import { hostSummarySchema, probeReportSchema } from "./player-api.js";

/** Bits of one side of a connection, and a signature of both sides'. */
const nonce = z.string().min(16).max(64);
const proof = z.string().max(128);
/** `host:port[/path]` */
const address = z.string().min(1).max(200);

const roomRouteSchema = z.object({
  type: z.literal("target"),
  address,
  processId: z.string().max(128),
  roomId: idSchema,
  epoch: z.number().int().nonnegative(),
  host: hostSummarySchema,
  /** That host is lost and another does not run the room yet. */
  restoring: z.boolean(),
  /** What opens a trunk to that room host, and a session on it; a host without trunks is dialled as players dial it. */
  trunk: z.object({ key: proof, pass: proof }).optional(),
});
/** A room host that has, or will have, the room of a session. */
export type RoomRoute = z.infer<typeof roomRouteSchema>;

const awaySchema = z.object({ type: z.literal("away") });
const unknownSchema = z.object({ type: z.literal("unknown") });

const roomLookupSchema = z.discriminatedUnion("type", [
  roomRouteSchema,
  /** It is known and cannot be reached just now. */
  awaySchema,
  unknownSchema,
  /** It was ended for good. */
  z.object({ type: z.literal("ended"), error: wireErrorSchema }),
]);
export type RoomLookup = z.infer<typeof roomLookupSchema>;

const beaconLookupSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("target"), address }),
  awaySchema,
  unknownSchema,
]);
export type BeaconLookup = z.infer<typeof beaconLookupSchema>;

/** A gateway measures so many hosts at most in one round. */
export const MAX_MEASURED_HOSTS = 64;
/** A gateway says of so many players at most at once how far they are; its frames are small. */
export const MAX_MEASURED_PLAYERS = 100;

const hostBeaconSchema = z.object({ hostId: idSchema, address });
/** A host's beacon as a gateway dials it: `host:port[/path]`. */
export type HostBeacon = z.infer<typeof hostBeaconSchema>;

const measuredPlayerSchema = z.object({
  roomId: z.string().max(128),
  sessionId: z.string().max(128),
  rttMs: z.number().nonnegative(),
});
/** How far a player is from the gateway that carries it. */
export type MeasuredPlayer = z.infer<typeof measuredPlayerSchema>;

/** What a gateway has measured since it last said so. */
const measuredSchema = z.object({
  /** Round trips to hosts. */
  hosts: z.array(probeReportSchema).max(MAX_MEASURED_HOSTS),
  /** To players whose clients measure nothing. */
  players: z.array(measuredPlayerSchema).max(MAX_MEASURED_PLAYERS).optional(),
});
export type MeasuredByGateway = z.infer<typeof measuredSchema>;

/** What a gateway has to know of a deployment. */
export interface GatewayDirectory {
  /**
   * @param processId as the player, or the room's host, names it; a place that is made for the room is meant only by who
   *   follows the room there, anybody else wants the owner
   */
  room(processId: string, roomId: string, sessionId: string | null): Promise<RoomLookup>;
  beacon(hostId: string, network: string | undefined): Promise<BeaconLookup>;
  /** @returns the hosts to measure next */
  measured(measured: MeasuredByGateway): Promise<HostBeacon[]>;
}

export const gatewayToBrokerSchema = z.discriminatedUnion("type", [
  /** Proves to know the gateway token, on this connection and no other. */
  z.object({
    type: z.literal("answer"),
    protocol: z.number().int(),
    gatewayId: idSchema,
    nonce,
    proof,
    /** Where players reach it: `http(s)://host[:port][/path]`. */
    publicUrl: z.string().max(200).optional(),
  }),
  z.object({
    type: z.literal("find-room"),
    requestId: z.number().int(),
    processId: z.string().max(128),
    roomId: z.string().max(128),
    sessionId: z.string().max(128).nullable(),
  }),
  z.object({
    type: z.literal("find-beacon"),
    requestId: z.number().int(),
    hostId: z.string().max(128),
    network: networkSchema.optional(),
  }),
  z.object({ type: z.literal("measured"), requestId: z.number().int(), measured: measuredSchema }),
]);
export type GatewayToBroker = z.infer<typeof gatewayToBrokerSchema>;

export const brokerToGatewaySchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("challenge"), challenge: nonce }),
  /** The broker knows the token too. */
  z.object({ type: z.literal("accepted"), proof }),
  z.object({ type: z.literal("refused"), error: wireErrorSchema }),
  z.object({ type: z.literal("room"), requestId: z.number().int(), found: roomLookupSchema }),
  z.object({ type: z.literal("beacon"), requestId: z.number().int(), found: beaconLookupSchema }),
  z.object({
    type: z.literal("to-measure"),
    requestId: z.number().int(),
    found: z.array(hostBeaconSchema).max(MAX_MEASURED_HOSTS),
  }),
]);
export type BrokerToGateway = z.infer<typeof brokerToGatewaySchema>;

/** WebSocket of the gateways at a broker. */
export const GATEWAY_PATH = "/gateway";
/** In the `Via` header of what a gateway passes on to a broker, with its id as the comment (RFC 9110, 7.6.3). */
export const GATEWAY_PSEUDONYM = "centroid-gateway";
