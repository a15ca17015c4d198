/** What a broker tells the others and does with what it is told: measurements, events, hosts' standing. */
import { eventSchema, idSchema, locationSchema, probeReportSchema } from "@centroid/protocol";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Change, EventHub } from "../events/event-hub.js";
import type { PlacementLoop } from "../placement/placement-loop.js";
import type { PlayerRegistry } from "../probes/player-registry.js";
import type { ProbeIntake } from "../probes/probe-intake.js";
import type { ClusterMessage } from "./cluster.js";

/** Measurements of a newcomer come before the news that it has joined; they wait for it so long. */
const NEWCOMER_MS = 30_000;

const probesBodySchema = z.object({
  playerId: idSchema,
  network: z.string().max(64).optional(),
  location: locationSchema.optional(),
  probes: z.array(probeReportSchema).max(64),
});
export type ProbesBody = z.infer<typeof probesBodySchema>;
const hostSchema = z.object({ hostId: idSchema });
const hostStateSchema = z.object({ hostId: idSchema, to: z.enum(["drain", "activate"]) });

export interface ClusterMessageHandlers {
  players: PlayerRegistry;
  probeIntake: ProbeIntake;
  loop: PlacementLoop;
  hub: EventHub;
  clock: Clock;
  logger: Logger;
  /** Carries out what another broker was ordered. */
  setHostState: (hostId: string, to: "drain" | "activate") => void;
  /** Another broker does not hear that host any more. */
  onHostAsked: (hostId: string) => void;
  /** Another broker hears that host. */
  onHostHeard: (hostId: string) => void;
}

/** Acts on what another broker says. What does not parse is logged and left. */
export function onClusterMessage(bulletin: ClusterMessage, o: ClusterMessageHandlers): void {
  try {
    switch (bulletin.kind) {
      case "probes":
        measured(probesBodySchema.parse(bulletin.body), o);
        return;
      case "event":
        shown(bulletin.body, o.hub);
        return;
      case "host-state": {
        const { hostId, to } = hostStateSchema.parse(bulletin.body);
        o.setHostState(hostId, to);
        return;
      }
      case "host-asked":
        o.onHostAsked(hostSchema.parse(bulletin.body).hostId);
        return;
      case "host-heard":
        o.onHostHeard(hostSchema.parse(bulletin.body).hostId);
        return;
      default: {
        const never: never = bulletin.kind;
        throw new RangeError(`unknown bulletin ${String(never)}`);
      }
    }
  } catch (cause) {
    o.logger.warn({ from: bulletin.from, kind: bulletin.kind, cause }, "bulletin not understood");
  }
}

function measured({ playerId, network, location, probes }: ProbesBody, o: ClusterMessageHandlers): void {
  const player = o.players.of(playerId);
  player.joining++;
  o.clock.after(NEWCOMER_MS, () => {
    player.joining--;
    o.players.release(player);
  });
  o.probeIntake.heard(player, probes, o.probeIntake.locate(player, location, network));
  for (const { roomId } of player.sessions.values()) o.loop.mark(roomId);
}

function shown(body: unknown, hub: EventHub): void {
  const { seq: _, atMs: __, ...change } = eventSchema.parse({ ...Object(body), seq: 0, atMs: 0 });
  if (change.type !== "snapshot") hub.emit(() => change as Change);
}
