/** The nouns that broker, agents, CLI and dashboard share: hosts, rooms, players, decisions, migrations, receipts. */
import { z } from "zod";
import { wireErrorSchema } from "./errors.js";
import { ID, ID_RULE, NETWORK, NETWORK_RULE } from "./player-api.js";

export const idSchema = z.string().regex(ID, ID_RULE);
export const networkSchema = z.string().max(64).regex(NETWORK, NETWORK_RULE);
export const latitudeSchema = z.number().min(-90).max(90);
export const longitudeSchema = z.number().min(-180).max(180);
export const carrierKindSchema = z.enum(["process", "vm", "container"]);
export type CarrierKind = z.infer<typeof carrierKindSchema>;
/**
 * `auto`: one of those below it, chosen by prediction, as a receipt says that got so far. `restore`, `standby`: not moves but new starts after the host was lost, from the last checkpoint or where a warm
 * standby was.
 */
export const mechanismSchema = z.enum([
  "auto",
  "handoff",
  "precopy",
  "postcopy",
  "hybrid",
  "stop-and-copy",
  "restore",
  "standby",
]);
export type Mechanism = z.infer<typeof mechanismSchema>;
/** How an operator may have a virtual machine (the first two) or a container (all) moved. */
export const orderedMechanismSchema = z.enum(["precopy", "postcopy", "hybrid", "stop-and-copy"]);
export type OrderedMechanism = z.infer<typeof orderedMechanismSchema>;
export const hostStateSchema = z.enum(["active", "draining", "lost"]);
export type HostState = z.infer<typeof hostStateSchema>;

export const locationSchema = z.object({ latitude: latitudeSchema, longitude: longitudeSchema });
/** A place on Earth, degrees. */
export type Location = z.infer<typeof locationSchema>;

/** How fast a host computes; 1 is one core of the reference machine. */
export const hostSpeedSchema = z.object({
  /** One core that works alone. */
  oneCore: z.number().positive().max(1_000),
  /** All cores at once. */
  allCores: z.number().positive().max(1_000_000),
  cores: z.number().int().positive(),
});

/** What a room computes for its players: processor time of a request on a core of speed 1, and how many there are. */
export const roomWorkSchema = z.object({
  msPerRequest: z.number().nonnegative().max(1_000_000),
  perSecond: z.number().nonnegative().max(1_000_000),
});

export const hostSchema = z.object({
  hostId: idSchema,
  name: z.string().min(1).max(80),
  latitude: latitudeSchema,
  longitude: longitudeSchema,
  region: z.string().max(40),
  state: hostStateSchema,
  carriers: z.array(carrierKindSchema),
  capacityRooms: z.number().int().positive(),
  /** What an hour of it costs while rooms run there, in whatever money; compared between hosts only. */
  costPerHour: z.number().nonnegative().optional(),
  rooms: z.number().int().nonnegative(),
  players: z.number().int().nonnegative(),
  /** CPU share of the host in use, 0..1. */
  load: z.number().min(0).max(1),
  rssBytes: z.number().nonnegative(),
  /** Once it has measured it. */
  speed: hostSpeedSchema.optional(),
  /** Where clients measure; a WebSocket URL. */
  beaconUrl: z.string(),
  lastHeartbeatAtMs: z.number(),
});
export type Host = z.infer<typeof hostSchema>;

export const latencySchema = z.object({
  source: z.enum(["measured", "coordinate", "geodesic"]),
  p50Ms: z.number(),
  p95Ms: z.number(),
  jitterMs: z.number(),
  loss: z.number().min(0).max(1),
});
export type Latency = z.infer<typeof latencySchema>;

/** A connected player as the dashboard and CLI see it. */
export const playerSchema = z.object({
  playerId: idSchema,
  roomId: idSchema,
  sessionId: z.string(),
  /** Free label of the place or access network the player said it is in. */
  network: z.string().optional(),
  location: locationSchema.optional(),
  /** By which gateway its sockets come; none if they go to the host itself. */
  gatewayId: idSchema.optional(),
  /** To the host its room runs on. */
  latency: latencySchema.optional(),
});
export type Player = z.infer<typeof playerSchema>;

export const roomStateSchema = z.enum(["creating", "running", "migrating", "restoring", "disposed"]);
export type RoomState = z.infer<typeof roomStateSchema>;

export const roomSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  hostId: idSchema,
  carrier: carrierKindSchema,
  state: roomStateSchema,
  /** Fencing token: grows by one with every change of owner. */
  epoch: z.number().int().nonnegative(),
  players: z.number().int().nonnegative(),
  maxPlayers: z.number().int().nonnegative().optional(),
  locked: z.boolean(),
  createdAtMs: z.number(),
  migrations: z.number().int().nonnegative(),
  /** Host of its warm standby, if it has one just now. */
  standbyHostId: idSchema.optional(),
  /** How much its players do just now, 0 (nothing) to 1 (all are in the middle of something), once its host has said so. */
  activity: z.number().optional(),
  /** Mean over players of their RTT to the room's host, ms. */
  meanRttMs: z.number().optional(),
  /** Where its players are on the map, in the middle. */
  centroid: locationSchema.optional(),
});
export type Room = z.infer<typeof roomSchema>;

export const moveReasonSchema = z.enum([
  "latency",
  "cap",
  "drain",
  "evacuate",
  "load",
  "consolidate",
  /** Another room needs the slot more. */
  "make-way",
  "operator",
  "host-lost",
]);
export type MoveReason = z.infer<typeof moveReasonSchema>;

export const candidateSchema = z.object({
  hostId: idSchema,
  scoreMs: z.number(),
  meanMs: z.number(),
  maxMs: z.number(),
  /** Of a room that computes: how long a request's work takes there, queueing included; part of the score. */
  workMs: z.number().optional(),
  /** What the rooms there would lose by it, per player; part of the score. */
  crowdingMs: z.number().optional(),
  /** The way to rooms it talks with, per player; part of the score, below 0 where they gain by coming along. */
  tieMs: z.number().optional(),
  load: z.number(),
  source: z.enum(["measured", "coordinate", "geodesic", "mixed"]),
  /** Why this host was not taken; absent for the chosen one. */
  rejected: z.string().optional(),
});
export type Candidate = z.infer<typeof candidateSchema>;

/** Players of a room who reach its host in the same way. */
export const takenWaySchema = z.object({
  /** None if they reach the host at its own address. */
  gatewayId: idSchema.optional(),
  players: z.number().int().positive(),
  /** Round trips to the gateway and from there to the host, ms: means of those players whose are known. */
  toGatewayMs: z.number().optional(),
  onwardMs: z.number().optional(),
  /** Why in this way, for a person. */
  because: z.string(),
});
export type TakenWay = z.infer<typeof takenWaySchema>;

/** The explainable record of one evaluation of a room. */
export const decisionSchema = z.object({
  decisionId: idSchema,
  roomId: idSchema,
  atMs: z.number(),
  verdict: z.enum(["place", "stay", "move", "no-host"]),
  reason: z.string(),
  fromHostId: idSchema.optional(),
  toHostId: idSchema.optional(),
  regret: z.number(),
  threshold: z.number(),
  candidates: z.array(candidateSchema),
  /** How a move would be felt, of a room whose players' activity is known (0 calm, 1 all in the middle of something). */
  freeze: z.object({ expectedMs: z.number(), activity: z.number(), waitedMs: z.number() }).optional(),
  /** How its players reach the host where it is. */
  ways: z.array(takenWaySchema).optional(),
  /** One line for a person. */
  text: z.string(),
});
export type Decision = z.infer<typeof decisionSchema>;

export const migrationPhaseSchema = z.enum([
  "preparing",
  "copying",
  "connecting",
  "frozen",
  "switching",
  "releasing",
  "completed",
  "rolled-back",
]);
export type MigrationPhase = z.infer<typeof migrationPhaseSchema>;

/** What a machine's move was expected to take, and why it was made in this way. */
export const predictedMoveSchema = z.object({ totalMs: z.number(), bytes: z.number(), because: z.string() });

/** Of a room that declares itself deterministic: whether the destination stepped along and took over without a freeze. */
export const inStepSchema = z.discriminatedUnion("outcome", [
  /** So many of its steps were taken at both hosts, and its digests agreed so often. */
  z.object({ outcome: z.literal("taken-over"), steps: z.number().int(), agreed: z.number().int() }),
  /** The room moved by the ordinary hand-off. */
  z.object({ outcome: z.literal("fell-back"), reason: z.string() }),
]);
export type InStep = z.infer<typeof inStepSchema>;

/** The record of one finished migration. */
export const receiptSchema = z.object({
  migrationId: idSchema,
  roomId: idSchema,
  fromHostId: idSchema,
  toHostId: idSchema,
  mechanism: mechanismSchema,
  reason: moveReasonSchema,
  outcome: z.enum(["completed", "rolled-back", "failed"]),
  error: z.optional(wireErrorSchema),
  epoch: z.number().int(),
  startedAtMs: z.number(),
  totalMs: z.number(),
  phases: z.array(z.object({ phase: migrationPhaseSchema, atMs: z.number(), durationMs: z.number() })),
  bytes: z.number(),
  /** How its players reached it when the move ended. */
  ways: z.array(takenWaySchema).optional(),
  /** What the choice of the mechanism was made from: to be compared with `totalMs` of the copy and `bytes`. */
  predicted: predictedMoveSchema.optional(),
  /** Silence between the last state frame from the source and the first from the destination, by client. */
  freezeMs: z
    .object({ clients: z.number().int(), p50: z.number(), p99: z.number(), max: z.number() })
    .optional(),
  /** The same less one patch interval: what the move itself added. */
  freezeBeyondTickMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }).optional(),
  /** How much its players did when the move began: 0 nothing, 1 all were in the middle of something. */
  activity: z.number().optional(),
  messagesLost: z.number().int(),
  messagesDuplicated: z.number().int(),
  /** Of a `restore` or `standby`: frames that players had heard and the room had not said yet where it goes on. */
  messagesUndone: z.number().int().optional(),
  stateHashBefore: z.string().optional(),
  stateHashAfter: z.string().optional(),
  inStep: inStepSchema.optional(),
  /** The destination had the room's standby, which became the room: only what that lacked was sent. */
  promoted: z.boolean().optional(),
  /** Of a `restore`: how old the checkpoint was when the host's loss was noticed; at most this is undone. */
  checkpointAgeMs: z.number().optional(),
});
export type Receipt = z.infer<typeof receiptSchema>;
