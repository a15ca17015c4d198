/**
 * Broker <-> edge agent (WebSocket, JSON, the agent dials) and agent <-> room host (Node IPC): the same
 * request and reply shapes, so that a room host can sit behind any carrier.
 */
import { z } from "zod";
import { operatorMessageSchema } from "./api.js";
import { wireErrorSchema } from "./errors.js";
import {
  carrierKindSchema,
  idSchema,
  latitudeSchema,
  longitudeSchema,
  mechanismSchema,
  migrationPhaseSchema,
  networkSchema,
  predictedMoveSchema,
} from "./model.js";

const epoch = z.number().int().nonnegative();
/** `host:port` where players reach a room host. */
const address = z.string().min(1).max(200);

const seatedSchema = z.object({
  sessionId: z.string(),
  playerId: idSchema.optional(),
  network: networkSchema.optional(),
});
export type Seated = z.infer<typeof seatedSchema>;

const seatRequestSchema = z.object({
  sessionId: z.string(),
  playerId: idSchema,
  /** The player's network label; picks its address of the destination when the room moves. */
  network: networkSchema.optional(),
  options: z.unknown(),
  authToken: z.string().optional(),
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

/** A room as matchmaking sees it: what Colyseus keeps in its listing, and how its type asks rooms to be chosen. */
export const roomListingSchema = z.object({
  locked: z.boolean(),
  maxPlayers: z.number().int().nonnegative().optional(),
  /** Nobody gets in but by the room's id. */
  private: z.boolean().optional(),
  /** Not to be shown in a lobby. */
  unlisted: z.boolean().optional(),
  metadata: z.unknown().optional(),
  /** Options of a joiner that the room's own values must equal. */
  filterBy: z.array(z.string()).optional(),
  /** Which of several rooms comes first. */
  sortBy: z.record(z.string(), z.enum(["asc", "desc"])).optional(),
});
export type RoomListing = z.infer<typeof roomListingSchema>;

export const roomReportSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  carrier: carrierKindSchema,
  epoch,
  processId: z.string(),
  address,
  /** What came with the order that gave the room to this host; an agent that was started again has it no more. */
  grant: z.string().max(64).optional(),
  /** True while the room is still owned elsewhere (a destination being filled). */
  passive: z.boolean(),
  ...roomListingSchema.shape,
  /** Its class asks for a warm standby on another host. */
  replicated: z.boolean().optional(),
  sessions: z.array(seatedSchema),
});
export type RoomReport = z.infer<typeof roomReportSchema>;

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
});
export type Transfer = z.infer<typeof transferSchema>;

/** A place for a room that is fed from another host. */
const slotSchema = z.object({ processId: z.string(), address, transferUrl: z.string(), ticket: z.string() });
export type RoomSlot = z.infer<typeof slotSchema>;

/** A room as it was at `takenAtMs`: bytes in base64. */
const savedSchema = z.object({
  epoch,
  seq: z.number().int().nonnegative(),
  takenAtMs: z.number(),
  data: z.string(),
});

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
  checkReconnection: z.object({ sessionId: z.string(), processId: z.string(), address }),
  migrateIn: slotSchema,
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
  setAckPolicy: z.object({ saved: savedSchema.optional() }),
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

/** Random bits of one side of a connection, and a signature of both sides'. */
const nonce = z.string().min(16).max(64);
const proof = z.string().max(128);

/** What a room says to whichever rooms listen, wherever they are: passed on at most once. */
export const publishedSchema = z.object({
  type: z.literal("published"),
  topic: z.string().max(200),
  data: z.unknown(),
});
export type Published = z.infer<typeof publishedSchema>;

/** What a room asks of the whole deployment. */
export const roomQuestionSchema = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("rooms"),
    roomIds: z.array(z.string()).optional(),
    name: z.string().optional(),
  }),
  z.object({ method: z.literal("createRoom"), name: z.string(), options: z.unknown() }),
  z.object({
    method: z.literal("callRoom"),
    roomId: z.string(),
    member: z.string(),
    args: z.array(z.unknown()).optional(),
  }),
]);
export type RoomQuestion = z.infer<typeof roomQuestionSchema>;

/** A room as rooms are told of it; Colyseus' IRoomCache. */
export const roomRowSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  processId: z.string(),
  publicAddress: address,
  clients: z.number().int().nonnegative(),
  maxClients: z.number().int().nonnegative().optional(),
  locked: z.boolean(),
  private: z.boolean(),
  unlisted: z.boolean(),
  metadata: z.unknown().optional(),
  createdAtMs: z.number(),
});
export type RoomRow = z.infer<typeof roomRowSchema>;

export const roomAskedSchema = z.object({
  type: z.literal("asked"),
  requestId: z.number().int(),
  question: roomQuestionSchema,
});
export const roomAnswerSchema = z.object({
  type: z.literal("answered"),
  requestId: z.number().int(),
  result: z.unknown().optional(),
  error: z.optional(wireErrorSchema),
});
export type RoomAnswer = z.infer<typeof roomAnswerSchema>;

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
  }),
  /** Answers a heartbeat. */
  z.object({ type: z.literal("heard") }),
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
  roomAnswerSchema,
]);
export type BrokerToAgent = z.infer<typeof brokerToAgentSchema>;

/** Something that happened in a room, told by its host. */
export const roomEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("joined"), sessionId: z.string(), playerId: idSchema.optional() }),
  z.object({ event: z.literal("left"), sessionId: z.string() }),
  roomListingSchema.extend({ event: z.literal("listing") }),
  /** It runs here from now on: new, moved or restored. For the brokers that did not order it. */
  z.object({ event: z.literal("running"), report: roomReportSchema }),
  z.object({ event: z.literal("disposed") }),
  z.object({
    event: z.literal("lost"),
    error: wireErrorSchema,
    /** This room's code ended the process, or hung it. */
    blame: z
      .object({ how: z.enum(["hung", "exited"]), what: z.string(), sessionId: z.string().optional() })
      .optional(),
  }),
  z.object({
    event: z.literal("phase"),
    migrationId: idSchema,
    phase: migrationPhaseSchema,
    bytes: z.number(),
  }),
  /** Destination: the room runs here from now on. */
  z.object({ event: z.literal("owned"), migrationId: idSchema }),
  z.object({
    event: z.literal("report"),
    migrationId: idSchema,
    sessionId: z.string(),
    gapMs: z.number(),
    patchRateMs: z.number(),
    lost: z.number().int(),
    duplicated: z.number().int(),
    undone: z.number().int().optional(),
  }),
  /** Owner: the connection to the standby broke; the room waits until it is told to go on without. */
  z.object({ event: z.literal("standby-broken"), standbyId: idSchema }),
  /** Standby: the owner's connection broke without a word. */
  z.object({ event: z.literal("standby-orphaned"), standbyId: idSchema }),
]);
export type RoomEvent = z.infer<typeof roomEventSchema>;

/** A room as it was at `takenAtMs`, to be kept where the host's death does not reach it. */
export const roomCheckpointSchema = savedSchema.extend({
  type: z.literal("checkpoint"),
  roomId: idSchema,
});
export type RoomCheckpoint = z.infer<typeof roomCheckpointSchema>;

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
    roomTypes: z.array(z.string()),
    /** `host:port` where it serves the HTTP routes of the project whose rooms it runs. */
    app: z.string().max(300).optional(),
    /** Rooms already running here: how a restarted broker finds them again. */
    rooms: z.array(roomReportSchema),
  }),
  z.object({
    type: z.literal("heartbeat"),
    load: z.number().min(0).max(1),
    rssBytes: z.number().nonnegative(),
    app: z.string().max(300).optional(),
  }),
  z.object({
    type: z.literal("reply"),
    requestId: z.number().int(),
    result: z.unknown().optional(),
    error: z.optional(wireErrorSchema),
  }),
  z.object({ type: z.literal("room"), roomId: idSchema, epoch, change: roomEventSchema }),
  roomCheckpointSchema,
  publishedSchema,
  roomAskedSchema,
]);
export type AgentToBroker = z.infer<typeof agentToBrokerSchema>;
