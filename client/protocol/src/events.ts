/** The push stream of the broker (`/events`, WebSocket, JSON lines): one snapshot, then what changes. */
import { z } from "zod";
import {
  decisionSchema,
  hostSchema,
  idSchema,
  migrationPhaseSchema,
  moveReasonSchema,
  playerSchema,
  receiptSchema,
  roomSchema,
} from "./model.js";

export const migrationViewSchema = z.object({
  migrationId: idSchema,
  roomId: idSchema,
  fromHostId: idSchema,
  toHostId: idSchema,
  reason: moveReasonSchema,
  phase: migrationPhaseSchema,
  startedAtMs: z.number(),
  bytes: z.number(),
});
export type MigrationView = z.infer<typeof migrationViewSchema>;

const base = { seq: z.number().int().nonnegative(), atMs: z.number() };

export const eventSchema = z.discriminatedUnion("type", [
  z.object({
    ...base,
    type: z.literal("snapshot"),
    brokerId: idSchema,
    /** True when distances between players and hosts are emulated. */
    emulated: z.boolean(),
    hosts: z.array(hostSchema),
    rooms: z.array(roomSchema),
    players: z.array(playerSchema),
    migrations: z.array(migrationViewSchema),
    receipts: z.array(receiptSchema),
  }),
  z.object({ ...base, type: z.literal("host"), host: hostSchema }),
  z.object({ ...base, type: z.literal("host-removed"), hostId: idSchema }),
  z.object({ ...base, type: z.literal("room"), room: roomSchema }),
  z.object({ ...base, type: z.literal("room-removed"), roomId: idSchema }),
  z.object({ ...base, type: z.literal("player"), player: playerSchema }),
  z.object({ ...base, type: z.literal("player-removed"), playerId: idSchema, roomId: idSchema }),
  z.object({ ...base, type: z.literal("decision"), decision: decisionSchema }),
  z.object({ ...base, type: z.literal("migration"), migration: migrationViewSchema }),
  z.object({ ...base, type: z.literal("receipt"), receipt: receiptSchema }),
]);
export type BrokerEvent = z.infer<typeof eventSchema>;
