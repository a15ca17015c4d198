/**
 * The connection between broker and agent: a WebSocket that the agent dials, JSON messages, each side proving that
 * it knows the token. Agent and room host use the same requests and replies over their own channel.
 */
import { z } from "zod";
import { wireErrorSchema } from "../errors.js";
import {
  carrierKindSchema,
  hostSpeedSchema,
  idSchema,
  latitudeSchema,
  longitudeSchema,
  roomWorkSchema,
} from "../model.js";
import { SHARDS } from "../shards.js";
import { agentRequestSchema } from "./requests.js";
import { measureOrderSchema, roomCheckpointSchema, roomEventSchema } from "./room-events.js";
import { publishedSchema, roomAnswerSchema, roomAskedSchema } from "./room-questions.js";
import { epochSchema as epoch, roomReportSchema } from "./room-report.js";

/** Random bits of one side of a connection, and a signature of both sides'. */
const nonce = z.string().min(16).max(64);
const proof = z.string().max(128);

const shards = z
  .array(
    z
      .number()
      .int()
      .min(0)
      .max(SHARDS - 1),
  )
  .max(SHARDS);

const roomCountSchema = z.object({
  roomId: idSchema,
  epoch,
  players: z.number().int().nonnegative(),
  /** Sessions that came since the last count: a broker that took their seats keeps these free no longer. */
  came: z.array(z.string()),
});
export type RoomCount = z.infer<typeof roomCountSchema>;

/** Broker to agent. */
export const brokerToAgentSchema = z.discriminatedUnion("type", [
  /** The first word, to be signed with the agent token. */
  z.object({ type: z.literal("challenge"), challenge: nonce }),
  /** The broker knows the token too: it may be told everything. */
  z.object({ type: z.literal("accepted"), proof }),
  z.object({
    type: z.literal("welcome"),
    brokerId: idSchema,
    heartbeatIntervalMs: z.number().positive(),
    /** A host that no broker has answered for so long must not run its rooms: they may be restored elsewhere. */
    leaseMs: z.number().positive(),
    /** It decides about the rooms of these: what players of them have measured is for this broker only. */
    shards: shards.optional(),
    /** It wants to know who comes and goes in rooms of these shards only, and of other rooms how many players they have. */
    counts: z.boolean().optional(),
    /** Somebody watches all players just now: then of every room. */
    everyone: z.boolean().optional(),
  }),
  /** From now on about these. Only to agents that {@link agentToBrokerSchema} knows to route what is measured. */
  z.object({ type: z.literal("decides"), shards, everyone: z.boolean().optional() }),
  measureOrderSchema.extend({ type: z.literal("measure") }),
  /** Answers `leaving`: the host's rooms are moved away, if there is any other host for them. */
  z.object({ type: z.literal("evacuating"), elsewhere: z.boolean() }),
  /**
   * Answers a heartbeat: this broker does not count the host as lost. `vouchedMs`: for no longer than that can it say the
   * same of the others, which may not know after that that it is in contact with the host (OWN-12).
   */
  z.object({ type: z.literal("heard"), vouchedMs: z.optional(z.number().check(z.nonnegative())) }),
  /**
   * The broker ends, and gives no room to anybody: the host may run what it has for so long from when it sent the last
   * heartbeat that was answered.
   */
  z.object({ type: z.literal("goodbye"), leaseMs: z.number().positive() }),
  z.object({ type: z.literal("refused"), error: wireErrorSchema }),
  z.object({
    type: z.literal("request"),
    requestId: z.number().int(),
    request: agentRequestSchema,
    /** With orders that give the host a room: to be shown when it says that it runs it. */
    grant: z.string().max(64).optional(),
  }),
  publishedSchema,
  /** This checkpoint survives the host from now on. */
  z.object({ type: z.literal("checkpointed"), roomId: idSchema, epoch, seq: z.number().int() }),
  /** This one is not kept here, and why; another broker may keep it. Only to agents that say they are told so. */
  z.object({
    type: z.literal("unsaved"),
    roomId: idSchema,
    epoch,
    seq: z.number().int(),
    error: wireErrorSchema,
  }),
  roomAnswerSchema,
]);
export type BrokerToAgent = z.infer<typeof brokerToAgentSchema>;

/** Agent to broker. */
export const agentToBrokerSchema = z.discriminatedUnion("type", [
  /** Proves to know the agent token, on this connection and no other. */
  z.object({ type: z.literal("answer"), protocol: z.number().int(), hostId: idSchema, nonce, proof }),
  z.object({
    type: z.literal("hello"),
    hostId: idSchema,
    name: z.string().min(1).max(80),
    latitude: latitudeSchema,
    longitude: longitudeSchema,
    region: z.string().max(40),
    capacityRooms: z.number().int().positive(),
    costPerHour: z.number().nonnegative().optional(),
    carriers: z.array(carrierKindSchema),
    beaconUrl: z.string(),
    /** Room hosts here take gateways' trunks. */
    trunks: z.boolean().optional(),
    /** It passes on what players measure, and to them what they are to measure. */
    measures: z.boolean().optional(),
    /** It tells who comes and goes to the broker that decides about the room, and counts players for the others. */
    counts: z.boolean().optional(),
    /** It is told which checkpoints are not kept. */
    unsaved: z.boolean().optional(),
    roomTypes: z.array(z.string()),
    /** By room type: what its rooms compute, as its class declares it. */
    roomWork: z.record(z.string(), roomWorkSchema).optional(),
    /** `host:port` where it serves the HTTP routes of the project whose rooms it runs. */
    app: z.string().max(300).optional(),
    /** Rooms already running here: how a restarted broker finds them again. */
    rooms: z.array(roomReportSchema),
  }),
  z.object({
    type: z.literal("heartbeat"),
    load: z.number().min(0).max(1),
    rssBytes: z.number().nonnegative(),
    /** Once it has measured it. */
    speed: hostSpeedSchema.optional(),
    app: z.string().max(300).optional(),
  }),
  z.object({
    type: z.literal("reply"),
    requestId: z.number().int(),
    result: z.unknown().optional(),
    error: z.optional(wireErrorSchema),
  }),
  /** The host ends after so long: its rooms had better be elsewhere by then. */
  z.object({ type: z.literal("leaving"), withinMs: z.number().positive() }),
  z.object({ type: z.literal("room"), roomId: idSchema, epoch, change: roomEventSchema }),
  /** How many are connected in rooms about which other brokers decide; only those in which that has changed. */
  z.object({ type: z.literal("counts"), rooms: z.array(roomCountSchema) }),
  roomCheckpointSchema,
  publishedSchema,
  roomAskedSchema,
]);
export type AgentToBroker = z.infer<typeof agentToBrokerSchema>;
