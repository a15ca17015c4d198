/** Wire schemas shared by client, agent and broker. Everything that crosses a process boundary is here. */
export * from "./agent/link.js";
export * from "./agent/presence-commands.js";
export * from "./agent/requests.js";
export * from "./agent/room-events.js";
export * from "./agent/room-questions.js";
export * from "./agent/room-report.js";
export * from "./api.js";
export * from "./errors.js";
export * from "./events.js";
export { forgetOldest } from "./forget-oldest.js";
export * from "./gateway.js";
export * from "./model.js";
export {
  type AvailableRooms,
  BEACON_PATH,
  type Beacon,
  type BeaconList,
  beaconListSchema,
  beaconSchema,
  CENTROID_OPTIONS_KEY,
  type GatewayReport,
  type HostSummary,
  hostSummarySchema,
  MAX_COMPARED_GATEWAYS,
  MAX_GATEWAYS,
  MAX_NEXT,
  MAX_REPORTS,
  MEASURE_FIRST_STATUS,
  type ProbeReport,
  type ProbeRequest,
  type ProbeResponse,
  probeReportSchema,
  probeRequestSchema,
  probeResponseSchema,
  type SeatReservation,
  seatReservationSchema,
  TRAVEL_MESSAGE,
  travelSeatSchema,
  type Way,
  type Where,
  whereSchema,
} from "./player-api.js";
export * from "./printable.js";
export * from "./read.js";
export * from "./routes/control-routes.js";
export * from "./routes/player-routes.js";
export * from "./routes/route.js";
export * from "./session.js";
export * from "./shards.js";
export * from "./state-digest.js";
export { type RateLimit, TokenBucket } from "./token-bucket.js";
export { TurnBatch } from "./turn-batch.js";
export * from "./version.js";
