/** What a broker can ask an agent, and an agent its room hosts, whatever rooms run in: each method with its answer. */
import { z } from "zod";
import { operatorMessageSchema } from "../api.js";
import {
  carrierKindSchema,
  idSchema,
  inStepSchema,
  latitudeSchema,
  longitudeSchema,
  mechanismSchema,
  migrationPhaseSchema,
  networkSchema,
  predictedMoveSchema,
} from "../model.js";
import { savedRoomSchema } from "./room-events.js";
import {
  addressSchema as address,
  epochSchema as epoch,
  roomListingSchema,
  seatedSchema,
} from "./room-report.js";

const seatRequestSchema = z.object({
  sessionId: z.string(),
  playerId: idSchema,
  /** The player's network label; picks its address of the destination when the room moves. */
  network: networkSchema.optional(),
  options: z.unknown(),
  authToken: z.string().optional(),
  /** Another room sends this player, with what it knows as `client.auth`; onAuth is not asked. */
  sent: z.object({ auth: z.unknown().optional() }).optional(),
  /** The request for this seat as the broker received it, for the room's static onAuth. */
  request: z.object({ headers: z.record(z.string(), z.string()), address: z.string() }).optional(),
});
export type SeatRequest = z.infer<typeof seatRequestSchema>;

/** Another host as a room's own host and its players reach it. */
export const destinationSchema = z.object({
  hostId: idSchema,
  name: z.string(),
  latitude: latitudeSchema,
  longitude: longitudeSchema,
  processId: z.string(),
  transferUrl: z.string(),
  ticket: z.string(),
  /** Where a session reaches it: by its network label, else `""`. */
  addresses: z.record(z.string(), address),
});
export type Destination = z.infer<typeof destinationSchema>;

/** What an agent can be asked to do. The carrier decides how. */
export const agentRequestSchema = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("createRoom"),
    roomId: idSchema,
    name: z.string(),
    options: z.unknown(),
    carrier: carrierKindSchema,
    epoch,
    /** The creator's. If it is refused there is no room either. */
    seat: seatRequestSchema.optional(),
  }),
  seatRequestSchema.extend({
    method: z.literal("reserveSeat"),
    roomId: idSchema,
    /** How the joiner came to the room: a private one is not found by search. */
    via: z.enum(["search", "id"]).optional(),
  }),
  /** Colyseus reconnection: checks the token and says whose seat it is. */
  z.object({ method: z.literal("checkReconnection"), roomId: idSchema, reconnectionToken: z.string() }),
  /** Destination: reserve the slot, build the passive room, say where the source sends its state. */
  z.object({
    method: z.literal("migrateIn"),
    migrationId: idSchema,
    roomId: idSchema,
    name: z.string(),
    carrier: carrierKindSchema,
    epoch,
    /** Where players reach it now: a carrier whose rooms keep their address answers with the same. */
    at: z.object({ processId: z.string(), address }).optional(),
    /** The standby that it keeps of the room, which is to become the room. */
    standbyId: idSchema.optional(),
  }),
  /** Source: move the room to where `migrateIn` said. Answers when the move is over. */
  z.object({
    method: z.literal("migrateOut"),
    migrationId: idSchema,
    roomId: idSchema,
    mechanism: mechanismSchema,
    epoch,
    /** As answered by `migrateIn`, through whatever network lies between the hosts. */
    destination: destinationSchema,
    /** What the destination lacks is what this standby there lacks. */
    standbyId: idSchema.optional(),
    deadlineMs: z.number().positive(),
  }),
  /** Either side: the move is off. Idempotent; after the switch it answers with an error. */
  z.object({ method: z.literal("abortMigration"), migrationId: idSchema, roomId: idSchema }),
  /** Either side: which side of this migration runs the room. Used when a side lost the other. */
  z.object({ method: z.literal("migrationStatus"), migrationId: idSchema, roomId: idSchema }),
  /** Builds a room whose host was lost. */
  z.object({
    method: z.literal("restoreRoom"),
    migrationId: idSchema,
    roomId: idSchema,
    name: z.string(),
    carrier: carrierKindSchema,
    epoch,
    from: z.discriminatedUnion("kind", [
      /** Its last checkpoint, as bytes in base64. */
      z.object({ kind: z.literal("checkpoint"), data: z.string() }),
      /** What this host was kept fed with. */
      z.object({ kind: z.literal("standby"), standbyId: idSchema }),
    ]),
  }),
  /** Second-best host: keep a copy of the room, fed by its owner, ready to run. Replaces an earlier one of that room. */
  z.object({
    method: z.literal("standBy"),
    standbyId: idSchema,
    roomId: idSchema,
    name: z.string(),
    carrier: carrierKindSchema,
  }),
  /** Owner: feed that standby. Answers when it has the whole room. */
  z.object({
    method: z.literal("replicate"),
    standbyId: idSchema,
    roomId: idSchema,
    destination: destinationSchema,
  }),
  /**
   * Owner: where what players send has to be before it is confirmed to them. `none` ends the standby and lets a
   * room go on that waits because its standby is gone.
   */
  z.object({
    method: z.literal("setAckPolicy"),
    standbyId: idSchema,
    roomId: idSchema,
    where: z.enum(["standby", "both", "none"]),
  }),
  /** Second-best host: forget the copy. Idempotent. */
  z.object({
    method: z.literal("endStandby"),
    standbyId: idSchema,
    roomId: idSchema,
    carrier: carrierKindSchema,
  }),
  /** A host that would get the room if its own were lost: have a process ready. Idempotent, answered at once. */
  z.object({ method: z.literal("warmUp"), roomId: idSchema, carrier: carrierKindSchema }),
  z.object({
    method: z.literal("disposeRoom"),
    roomId: idSchema,
    epoch,
    /** The deployment ends: the room's `onBeforeShutdown` decides how it closes. */
    shutdown: z.boolean().optional(),
  }),
  z.object({ method: z.literal("kick"), roomId: idSchema, sessionId: z.string() }),
  z.object({ method: z.literal("setLocked"), roomId: idSchema, locked: z.boolean() }),
  /** An operator's test message, to players or, as if one of them had sent it, to the room. */
  z.object({ method: z.literal("message"), roomId: idSchema, message: operatorMessageSchema }),
  z.object({ method: z.literal("inspect"), roomId: idSchema }),
  /** Another room calls a method of this one, or reads a property. */
  z.object({
    method: z.literal("callRoom"),
    roomId: idSchema,
    member: z.string(),
    args: z.array(z.unknown()).optional(),
  }),
]);
export type AgentRequest = z.infer<typeof agentRequestSchema>;
export type AgentMethod = AgentRequest["method"];

export const transferSchema = z.object({
  /** What it came to; as asked for when absent. */
  mechanism: mechanismSchema.optional(),
  /** The longest silence of a connection that the source held to the room throughout. */
  silenceMs: z.number().optional(),
  bytes: z.number(),
  rounds: z.number().int(),
  phases: z.array(z.object({ phase: migrationPhaseSchema, atMs: z.number(), durationMs: z.number() })),
  predicted: predictedMoveSchema.optional(),
  stateHashBefore: z.string().optional(),
  stateHashAfter: z.string().optional(),
  inStep: inStepSchema.optional(),
  /** The destination had the room already, as its standby. */
  promoted: z.boolean().optional(),
});
export type Transfer = z.infer<typeof transferSchema>;

/** A place for a room that is fed from another host. */
const slotSchema = z.object({ processId: z.string(), address, transferUrl: z.string(), ticket: z.string() });
export type RoomSlot = z.infer<typeof slotSchema>;

/** What each method answers. */
export const agentResultSchemas = {
  createRoom: z.object({
    processId: z.string(),
    address,
    ...roomListingSchema.shape,
    /** Set if the room chose an id of its own; then the creator's seat is still to be reserved. */
    roomId: idSchema.optional(),
  }),
  reserveSeat: z.object({ processId: z.string(), address }),
  checkReconnection: z.object({
    processId: z.string(),
    address,
    /** Whose session it is: only the broker that decides about the room knows that by itself. */
    ...seatedSchema.shape,
  }),
  /** `promotes`: it has that standby, and the whole room with it. */
  migrateIn: slotSchema.extend({ promotes: z.boolean().optional() }),
  migrateOut: transferSchema,
  abortMigration: z.object({ aborted: z.boolean() }),
  restoreRoom: z.object({
    processId: z.string(),
    address,
    stateHash: z.string(),
    ...roomListingSchema.shape,
    sessions: z.array(seatedSchema),
  }),
  standBy: slotSchema,
  replicate: z.object({}),
  /** Of `both`: the room as it is now, so that a checkpoint has all that only its standby had. */
  setAckPolicy: z.object({ saved: savedRoomSchema.optional() }),
  endStandby: z.object({}),
  migrationStatus: z.object({ role: z.enum(["owner", "passive", "none"]), epoch }),
  warmUp: z.object({}),
  disposeRoom: z.object({}),
  kick: z.object({}),
  setLocked: z.object({ locked: z.boolean() }),
  message: z.object({ receivers: z.number().int().nonnegative() }),
  callRoom: z.object({ processId: z.string(), address, value: z.unknown().optional() }),
  inspect: z.object({ state: z.unknown(), sessions: z.array(z.string()), clockMs: z.number() }),
} as const satisfies Record<AgentMethod, z.ZodType>;
export type AgentResults = { [M in AgentMethod]: z.infer<(typeof agentResultSchemas)[M]> };
