/** What everybody in the room sees; kept in step by Colyseus, and carried along when the room moves. */
import { schema, t } from "@colyseus/schema";

/** The field is from -1 to 1 in both directions. */
export const Player = schema({ x: t.number(), y: t.number(), hue: t.number() }, "Player");
export const Arena = schema({ players: t.map(Player) }, "Arena");

export type ArenaState = InstanceType<typeof Arena>;

export interface Point {
  x: number;
  y: number;
}
