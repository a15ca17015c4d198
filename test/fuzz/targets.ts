/** What reads what others send or write: each with good inputs to start from and the errors it may answer with. */
import { MatrixError, readRttMatrix } from "@centroid/placement";
import {
  agentRequestSchema,
  agentToBrokerSchema,
  brokerToAgentSchema,
  brokerToGatewaySchema,
  CentroidError,
  decodeClientControl,
  decodeServerControl,
  encodeControl,
  eventSchema,
  gatewayToBrokerSchema,
  joinHintsSchema,
  operatorMessageSchema,
  probeRequestSchema,
  readWire,
  seatReservationSchema,
  tryRead,
} from "@centroid/protocol";
import { encodeTrunkFrame, readTrunkPack } from "@centroid/protocol/trunk";
import { Packr } from "msgpackr";
import type { z } from "zod";
import { decodeCheckpoint } from "../../infra/room-host/dist/checkpoint/checkpoint.js";
import { decodeFromDestination, decodeFromSource } from "../../infra/room-host/dist/handoff/handoff-wire.js";
import { decodeFromPrimary, decodeFromStandby } from "../../infra/room-host/dist/standby/standby-wire.js";
import { journalEntrySchema, roomRecordSchema } from "../../server/broker/dist/store/store.js";
import { explainIssue } from "../../server/cli/dist/config/explain.js";
import { configSchema } from "../../server/cli/dist/config/schema.js";
import type { Draw } from "../support/draw.js";
import { mutateBytes, mutateText, mutateValue } from "./mutate.js";
import * as samples from "./samples.js";

export interface Target {
  readonly name: string;
  /** Draws an input and has it read. @returns whether it was taken. @throws whatever the reader throws */
  readonly once: (draw: Draw) => boolean;
  /** True for an error that its callers expect. */
  readonly expected: (error: unknown) => boolean;
}

const centroid = (error: unknown): boolean => error instanceof CentroidError;
const transfer = new Packr({ structuredClone: true, moreTypes: true, useRecords: false });

/** Broken values most of the time, broken bytes the rest. */
function binary(
  name: string,
  good: readonly unknown[],
  encode: (value: never) => Uint8Array,
  read: (frame: Uint8Array) => unknown,
): Target {
  return {
    name,
    expected: centroid,
    once: (draw) => {
      const value = draw.unit() < 0.6 ? mutateValue(draw.of(good), draw) : draw.of(good);
      const frame = encode(value as never);
      read(draw.unit() < 0.5 ? mutateBytes(frame, draw) : frame);
      return true;
    },
  };
}

/** JSON read at an edge: refused text is a SyntaxError, a refused value has words that can be sent back. */
function json(name: string, good: readonly unknown[], schema: z.core.$ZodType): Target {
  return {
    name,
    expected: (error) => error instanceof SyntaxError || centroid(error),
    once: (draw) => {
      const text = JSON.stringify(mutateValue(draw.of(good), draw)) ?? "";
      const value: unknown = JSON.parse(draw.unit() < 0.2 ? mutateText(text, draw) : text);
      readWire(schema, value, "BAD_REQUEST", name);
      return true;
    },
  };
}

export const TARGETS: readonly Target[] = [
  binary("control frames at the client", samples.serverControl, encodeControl, decodeServerControl),
  binary("control frames at the room host", samples.clientControl, encodeControl, decodeClientControl),
  binary(
    "hand-off at the destination",
    samples.fromSource,
    (value) => transfer.pack(value),
    decodeFromSource,
  ),
  binary(
    "hand-off at the source",
    samples.fromDestination,
    (value) => transfer.pack(value),
    decodeFromDestination,
  ),
  binary("feed at the standby", samples.fromPrimary, (value) => transfer.pack(value), decodeFromPrimary),
  binary(
    "standby's answers at the room host",
    samples.fromStandby,
    (value) => transfer.pack(value),
    decodeFromStandby,
  ),
  json("moves in the journal", samples.journal, journalEntrySchema),
  json("rooms on record", samples.roomRecords, roomRecordSchema),
  binary("saved rooms", samples.checkpoints, (value) => transfer.pack(value), decodeCheckpoint),
  json("agent frames at the broker", samples.agentToBroker, agentToBrokerSchema),
  json("broker frames at the agent", samples.brokerToAgent, brokerToAgentSchema),
  json("gateway frames at the broker", samples.gatewayToBroker, gatewayToBrokerSchema),
  json("broker frames at the gateway", samples.brokerToGateway, brokerToGatewaySchema),
  {
    name: "trunk packs",
    expected: centroid,
    once: (draw) => {
      const frames = Array.from({ length: 1 + draw.below(3) }, () =>
        encodeTrunkFrame(draw.of(samples.trunk)),
      );
      const pack = Buffer.concat(frames);
      const keep = { data: () => undefined, frame: () => undefined };
      readTrunkPack(draw.unit() < 0.7 ? Buffer.from(mutateBytes(pack, draw)) : pack, keep);
      return true;
    },
  },
  json("requests at the room host", samples.requests, agentRequestSchema),
  json("events at the dashboard", samples.events, eventSchema),
  json("join hints", samples.hints, joinHintsSchema),
  json("probe reports", samples.probeReports, probeRequestSchema),
  json("seat reservations at the client", samples.seats, seatReservationSchema),
  json("operators' messages", samples.messages, operatorMessageSchema),
  {
    name: "configuration",
    expected: () => false,
    once: (draw) => {
      const parsed = tryRead(configSchema, mutateValue(draw.of(samples.configs), draw));
      if (!parsed.success) for (const issue of parsed.error.issues) explainIssue(issue);
      return parsed.success;
    },
  },
  {
    name: "round-trip matrices (CSV)",
    expected: (error) => error instanceof MatrixError,
    once: (draw) => {
      readRttMatrix(mutateText(draw.of(samples.matrices), draw));
      return true;
    },
  },
];
