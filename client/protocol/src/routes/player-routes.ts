/** What players' SDKs call beside Colyseus' own matchmaking. In browsers too, hence `zod/mini`. */
import * as z from "zod/mini";
import {
  availableRoomsSchema,
  beaconListSchema,
  playerNetworkSchema,
  playerSideIdSchema,
  probeRequestSchema,
  probeResponseSchema,
  whereSchema,
} from "../player-api.js";
import type { ApiRoute } from "./route.js";

/** Reports and options of a join are small. */
export const MAX_PLAYER_BODY_BYTES = 64 * 1024;

const network = z.optional(playerNetworkSchema);

export const playerRoutes = {
  beacons: {
    method: "GET",
    path: "/centroid/v1/beacons",
    summary: "The few hosts that a newcomer measures first, or those named",
    query: z.object({
      network,
      /** Ids with commas between them. */
      hosts: z.optional(z.string().check(z.maxLength(2000))),
    }),
    answer: beaconListSchema,
  },
  probes: {
    method: "POST",
    path: "/centroid/v1/probes",
    summary: "What a player measured; answers with hosts worth measuring next",
    body: probeRequestSchema,
    answer: probeResponseSchema,
    maxBodyBytes: MAX_PLAYER_BODY_BYTES,
  },
  rooms: {
    method: "GET",
    path: "/centroid/v1/rooms",
    summary: "Rooms that are open to everybody: neither private nor unlisted nor locked",
    query: z.object({
      /** Of this type only. */
      name: z.optional(z.string().check(z.maxLength(128))),
    }),
    answer: availableRoomsSchema,
  },
  where: {
    method: "GET",
    path: "/centroid/v1/where/:roomId",
    summary: "Where a player whose connection broke finds its room now",
    params: z.object({ roomId: playerSideIdSchema }),
    query: z.object({
      network,
      /** The host's own address, if the caller may be able to reach it. */
      direct: z.optional(z.literal("1")),
    }),
    answer: whereSchema,
  },
} as const satisfies Record<string, ApiRoute>;
