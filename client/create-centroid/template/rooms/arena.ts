/** An ordinary Colyseus room. It does not know that it moves. */
import { type Client, Room } from "@colyseus/core";
import { Arena, Player, type Point } from "../shared/state.js";

export default class ArenaRoom extends Room {
  override maxClients = 16;
  override state = new Arena();

  override onCreate(): void {
    this.onMessage("walk", (client: Client, to: unknown) => {
      const me = this.state.players.get(client.sessionId);
      // Players can send anything.
      if (me !== undefined && isPoint(to)) me.assign({ x: clamp(to.x), y: clamp(to.y) });
    });
  }

  override onJoin(client: Client): void {
    const hue = (this.state.players.size * 137) % 360;
    this.state.players.set(client.sessionId, new Player().assign({ x: 0, y: 0, hue }));
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
  }
}

function isPoint(value: unknown): value is Point {
  const { x, y } = (value ?? {}) as Partial<Point>;
  return Number.isFinite(x) && Number.isFinite(y);
}

const clamp = (value: number): number => Math.max(-1, Math.min(1, value));
