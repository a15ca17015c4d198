/** The shape of a configuration, and its defaults. */
import { homedir } from "node:os";
import { join } from "node:path";
import { isolationSchema } from "@centroid/agent/isolation";
import { roomVariableSchema } from "@centroid/agent/room-environment";
import { DEFAULT_LIMITS, LOG_LEVELS, parseRedisAddress } from "@centroid/broker/settings";
import {
  CentroidError,
  carrierKindSchema,
  idSchema,
  latitudeSchema,
  longitudeSchema,
} from "@centroid/protocol";
import { z } from "zod";

export const hostSettingsSchema = z.strictObject({
  hostId: idSchema,
  name: z.string().min(1).max(80),
  latitude: latitudeSchema,
  longitude: longitudeSchema,
  region: z.string().max(40).optional(),
  capacityRooms: z.number().int().positive().optional(),
  costPerHour: z.number().nonnegative().optional(),
});

export const configSchema = z.strictObject({
  /** Folder with one file per room type. */
  rooms: z.string().optional(),
  /** In place of `rooms`: the file that exports a Colyseus project's server, `src/app.config.ts`. */
  app: z.string().optional(),
  /** Folder with a built page, served at `/play/`; the demo's game if not given. */
  page: z.string().optional(),
  port: z.number().int().min(0).max(65_535).default(2567),
  /** Loopback unless told otherwise. */
  bindHost: z.string().default("127.0.0.1"),
  /** Under which players reach this machine; needed when `bindHost` is every address. */
  advertiseHost: z.string().min(1).optional(),
  /** Edge hosts to start on this machine; six cities of the demo world if not given. */
  hosts: z.union([z.number().int().min(0).max(64), z.array(hostSettingsSchema).min(1)]).default(6),
  carrier: carrierKindSchema.default("process"),
  /** With the carrier `process`: one room process per host, per core, or per room. */
  isolation: isolationSchema.default("shared"),
  /** Put the demo world's distances on the wire between players and hosts. */
  emulate: z.boolean().default(false),
  stateDir: z.string().default(defaultStateDir()),
  /** What the broker's log gets. */
  logLevel: z.enum(LOG_LEVELS).default("info"),
  adminToken: z.string().min(16, "at least 16 characters").optional(),
  viewerToken: z.string().min(16, "at least 16 characters").optional(),
  agentToken: z.string().min(16, "at least 16 characters").optional(),
  gatewayToken: z.string().min(16, "at least 16 characters").optional(),
  /** Variables of the environment that room code gets to see, beyond what every program needs. */
  roomEnv: z.array(roomVariableSchema).default([]),
  /** How often a changing room is saved; 0 is never. */
  checkpointMs: z.number().int().min(0).default(1_000),
  compareMs: z.number().int().min(0).default(10_000),
  /** At the end: keep rooms as last saved. True with `redis`, where other brokers go on; otherwise they end with their hooks. */
  keepRooms: z.boolean().optional(),
  /** Of one player; one that sends more is disconnected. 0 is no limit. */
  maxFramesPerSecond: z.number().int().min(0).default(200),
  /** The same in bytes. */
  maxBytesPerSecond: z
    .number()
    .int()
    .min(0)
    .default(512 * 1024),
  /** False: nobody is limited but by `maxFramesPerSecond` and `maxBytesPerSecond`. */
  limits: z.boolean().default(true),
  /** Requests of one address, in the long run; ten seconds' worth at once. 0 is no limit. */
  maxRequestsPerSecond: z.number().min(0).default(DEFAULT_LIMITS.requests.perSecond),
  /** Seats of one address that nobody has taken yet. 0 is no limit. */
  maxUntakenSeats: z.number().int().min(0).default(DEFAULT_LIMITS.perAddress.untakenSeats),
  /** Rooms of one address that nobody is in yet. 0 is no limit. */
  maxEmptyRooms: z.number().int().min(0).default(DEFAULT_LIMITS.perAddress.emptyRooms),
  /** Nobody reads without a token, programs on this machine included. */
  requireReadToken: z.boolean().default(false),
  /** `https://name[:port][/path]` by which players reach this machine; all their sockets come there too. */
  publicUrl: z.url({ protocol: /^https?$/, error: "must look like https://play.example" }).optional(),
  /** PEM files for TLS of the broker's own, both or none; read again when they change. */
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  /** Addresses of proxies, with commas, that are believed whom they ask for. */
  trustProxy: z
    .string()
    .regex(/^[0-9a-fA-F:./]+(,[0-9a-fA-F:./]+)*$/, "addresses or networks, with commas between")
    .optional(),
  /** Shared by several brokers; alone on an embedded store if not given. */
  redis: z
    .string()
    .superRefine((text, context) => {
      try {
        parseRedisAddress(text);
      } catch (cause) {
        context.addIssue({ code: "custom", message: CentroidError.from(cause).message });
      }
    })
    .optional(),
  /** `http://host:port` under which the other brokers reach this one. */
  clusterUrl: z.url({ protocol: /^https?$/, error: "must look like http://host:port" }).optional(),
  /** File that gets all that placement depends on and decides; see `centroid replay`. */
  trace: z.string().min(1).optional(),
  placement: z
    .strictObject({
      objective: z.enum(["blend", "mean", "minimax", "fair", "pairwise"]).optional(),
      worstWeight: z.number().min(0).max(1).optional(),
      tailWeight: z.number().min(0).max(1).optional(),
      loadWeightMs: z.number().min(0).optional(),
      moneyWeightMs: z.number().min(0).optional(),
      wakeWeightMs: z.number().min(0).optional(),
      capsMs: z.array(z.number().positive()).optional(),
      regretFactor: z.number().positive().optional(),
      minGain: z.number().min(0).max(1).optional(),
      noiseMargin: z.number().min(0).optional(),
      minDwellMs: z.number().min(0).optional(),
    })
    .default({}),
});
/** A whole configuration, defaults filled in. */
export type Config = z.output<typeof configSchema>;
/** A configuration as it is written; what is left out has a default. */
export type ConfigInput = z.input<typeof configSchema>;

function defaultStateDir(): string {
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "centroid");
}
