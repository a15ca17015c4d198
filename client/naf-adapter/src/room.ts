/**
 * The relay room of networked-aframe scenes: passes messages on within a channel and says who is there.
 * What entities look like and who owns them stays with networked-aframe.
 */
import { type Client, Room } from "@colyseus/core";
import { type SchemaType, schema, t } from "@colyseus/schema";
import type { z } from "zod";
import { isDrop } from "./drop.js";
import { nafJoinSchema, type Outgoing, outgoingSchema, timeRequestSchema } from "./wire.js";

export { isDrop } from "./drop.js";

const MAX_PLAYERS = 64;
/** A player whose connection broke keeps its avatar so long, seconds. */
const RECONNECTION_S = 10;

const Occupant = schema(
  { channel: t.string().default(""), joinedAtMs: t.float64().default(0) },
  "NafOccupant",
);
const NafState = schema({ occupants: t.map(Occupant) }, "NafState");
type NafState = SchemaType<typeof NafState>;

export default class NafRoom extends Room<{ state: NafState }> {
  override maxClients = MAX_PLAYERS;
  override state = new NafState();

  override onCreate(): void {
    this.onMessage("naf", outgoingSchema, (client: Client, message: Outgoing) =>
      this.#relay(client, message),
    );
    this.onMessage(
      "time",
      timeRequestSchema,
      (client: Client, { sentMs }: z.infer<typeof timeRequestSchema>) =>
        client.send("time", { sentMs, serverMs: Date.now() }),
    );
  }

  override onJoin(client: Client, options?: unknown): void {
    const { channel } = nafJoinSchema.parse(options);
    this.state.occupants.set(client.sessionId, new Occupant().assign({ channel, joinedAtMs: Date.now() }));
  }

  override async onDrop(client: Client, code?: number): Promise<void> {
    if (isDrop(code)) await this.allowReconnection(client, RECONNECTION_S);
  }

  override onLeave(client: Client): void {
    this.state.occupants.delete(client.sessionId);
  }

  /** The sender is who the seat says, never who the message says. */
  #relay(sender: Client, { to, ...message }: Outgoing): void {
    const from = sender.sessionId;
    const channel = this.state.occupants.get(from)?.channel;
    for (const client of this.clients) {
      const { sessionId } = client;
      if (sessionId === from || (to !== undefined && sessionId !== to)) continue;
      if (this.state.occupants.get(sessionId)?.channel === channel) client.send("naf", { from, ...message });
    }
  }
}
