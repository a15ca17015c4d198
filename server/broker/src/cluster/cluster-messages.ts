/** What brokers tell all others: events, hosts' states. Parsed here, acted on by whoever it concerns. */
import { eventSchema, idSchema, MAX_MEASURED_HOSTS, probeReportSchema } from "@centroid/protocol";
import { z } from "zod";
import type { Logger } from "../base/logger.js";
import type { Change } from "../events/event-hub.js";
import type { ClusterMessage } from "./cluster.js";

const hostSchema = z.object({ hostId: idSchema });
/** `given`: that room is on record for another host by now. */
const askedSchema = hostSchema.extend({
  given: z.object({ askId: idSchema, roomId: idSchema, epoch: z.number().int() }).optional(),
});
type AskedBody = z.infer<typeof askedSchema>;
/** Nothing was ever heard of it if `agoMs` is not given. */
const heardSchema = hostSchema.extend({
  agoMs: z.number().nonnegative().optional(),
  withdrawn: idSchema.optional(),
  promises: z.boolean().optional(),
});
type HeardBody = z.infer<typeof heardSchema>;
const hostStateSchema = z.object({
  hostId: idSchema,
  to: z.enum(["drain", "activate"]),
  withinMs: z.number().positive().optional(),
});

const placeSchema = z.object({
  roomId: idSchema,
  hostId: idSchema,
  processId: z.string().max(200),
  address: z.string().max(300),
});
type PlaceBody = z.infer<typeof placeSchema>;
const legsSchema = z.object({
  gatewayId: idSchema,
  hosts: z.array(probeReportSchema).max(MAX_MEASURED_HOSTS),
});
type LegsBody = z.infer<typeof legsSchema>;

/** Who acts on which message. */
export interface ClusterMessageHandlers {
  onEvent: (change: Change) => void;
  /** Another broker was ordered to change a host's state. */
  onHostState: (hostId: string, to: "drain" | "activate", withinMs: number | undefined) => void;
  /** Another broker does not hear that host any more. */
  onHostAsked: (body: AskedBody) => void;
  /** Another broker was asked, and heard that host so long ago, or not at all. */
  onHostHeard: (body: HeardBody, from: string) => void;
  /** A host has made a place for a room about which another broker decides: its players may come to any broker. */
  onPlace: (body: PlaceBody) => void;
  /** A gateway of another broker has measured hosts. */
  onGatewayLegs: (body: LegsBody) => void;
  /** Another broker has made or revoked a token of a host. */
  onAgentTokens: () => void;
  logger: Logger;
}

/** Acts on what another broker says. What does not parse is logged and left. */
export function onClusterMessage(
  { kind, from, body }: ClusterMessage,
  handlers: ClusterMessageHandlers,
): void {
  try {
    switch (kind) {
      case "event": {
        const { seq: _, atMs: __, ...change } = eventSchema.parse({ ...Object(body), seq: 0, atMs: 0 });
        if (change.type !== "snapshot") handlers.onEvent(change as Change);
        return;
      }
      case "host-state": {
        const { hostId, to, withinMs } = hostStateSchema.parse(body);
        handlers.onHostState(hostId, to, withinMs);
        return;
      }
      case "host-asked":
        handlers.onHostAsked(askedSchema.parse(body));
        return;
      case "host-heard":
        handlers.onHostHeard(heardSchema.parse(body), from);
        return;
      case "place":
        handlers.onPlace(placeSchema.parse(body));
        return;
      case "agent-tokens":
        handlers.onAgentTokens();
        return;
      case "gateway-legs":
        handlers.onGatewayLegs(legsSchema.parse(body));
        return;
      default: {
        const never: never = kind;
        throw new RangeError(`unknown message ${String(never)}`);
      }
    }
  } catch (cause) {
    handlers.logger.warn({ from, kind, cause }, "message of another broker not understood");
  }
}
