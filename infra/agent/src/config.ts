/** What an edge agent must know to start. Passed by whoever starts it, checked here. */
import {
  carrierKindSchema,
  hostSpeedSchema,
  idSchema,
  latitudeSchema,
  longitudeSchema,
  roomWorkSchema,
} from "@centroid/protocol";
import {
  DEFAULT_COMPARE_INTERVAL_MS,
  DEFAULT_MAX_BYTES_PER_SECOND,
  DEFAULT_MAX_FRAMES_PER_SECOND,
} from "@centroid/room-host";
import { z } from "zod";
import { isolationSchema } from "./carrier/choose-process.js";
import { roomVariableSchema } from "./carrier/room-environment.js";

export const agentConfigSchema = z.strictObject({
  /** Every broker: each hears everything, any may order. */
  brokerUrls: z.array(z.url({ protocol: /^wss?(\+unix)?$/ })).min(1),
  token: z.string().min(1),
  /** Files of a client certificate, for brokers behind mutual TLS; read at every dial, so they can be renewed. */
  tls: z.strictObject({ ca: z.string(), cert: z.string(), key: z.string() }).optional(),
  hostId: idSchema,
  name: z.string().min(1).max(80),
  latitude: latitudeSchema,
  longitude: longitudeSchema,
  region: z.string().max(40).default("default"),
  capacityRooms: z.number().int().positive().default(200),
  /** What an hour of this host costs while rooms run here; any currency, the same for all hosts. */
  costPerHour: z.number().nonnegative().optional(),
  /** Address to listen on; loopback unless told otherwise. */
  bindHost: z.string().default("127.0.0.1"),
  /** Address that players are told; `bindHost` if not given. */
  advertiseHost: z.string().optional(),
  /** Port of the beacon; 0 is any. */
  port: z.number().int().min(0).max(65_535).default(0),
  roomsBundle: z.string(),
  /** The process for rooms is started at once, so that the first room need not wait for it. */
  warm: z.boolean().default(false),
  /** The bundle is a whole project: its HTTP routes are served here too. */
  app: z.boolean().default(false),
  /** How often a changing room is saved with the broker; 0 is never. */
  checkpointIntervalMs: z.number().nonnegative().default(1_000),
  /** How often players' copies of a state are compared with the room's; 0 is never. */
  compareIntervalMs: z.number().nonnegative().default(DEFAULT_COMPARE_INTERVAL_MS),
  /** Of one player; one that sends more is disconnected. 0 is no limit. */
  maxFramesPerSecond: z.number().int().nonnegative().default(DEFAULT_MAX_FRAMES_PER_SECOND),
  /** The same in bytes. */
  maxBytesPerSecond: z.number().int().nonnegative().default(DEFAULT_MAX_BYTES_PER_SECOND),
  /** Variables of this process's environment that room code gets to see, beyond what every program needs. */
  roomEnv: z.array(roomVariableSchema).default([]),
  roomTypes: z.array(z.string()).default([]),
  /** By room type: what its class says that its rooms compute. */
  roomWork: z.record(z.string(), roomWorkSchema).default({}),
  /** How fast this host computes; measured once if not given. */
  speed: hostSpeedSchema.optional(),
  carriers: z.array(carrierKindSchema).default(["process"]),
  /** Of the carrier `process`: one room host process for all rooms, one per core, or one per room. */
  isolation: isolationSchema.default("shared"),
  /** Settings of the carrier `vm`, checked by it. */
  vm: z.unknown().optional(),
  /** The same of `container`. */
  container: z.unknown().optional(),
});
export type AgentConfig = z.input<typeof agentConfigSchema>;
export type ResolvedAgentConfig = z.output<typeof agentConfigSchema>;
