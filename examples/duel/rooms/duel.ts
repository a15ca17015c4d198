import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";

const Duelist = schema({ x: t.number(), hits: t.number() }, "Duelist");
const Duel = schema({ players: t.map(Duelist) }, "Duel");

export default class DuelRoom extends Room {
  state = new Duel();

  onCreate() {
    this.onMessage("walk", (client: Client, dx: number) => {
      const me = this.state.players.get(client.sessionId);
      if (me) me.x += dx;
    });
  }

  onJoin(client: Client) {
    const me = new Duelist();
    me.x = 0;
    me.hits = 0;
    this.state.players.set(client.sessionId, me);
  }

  onLeave(client: Client) {
    this.state.players.delete(client.sessionId);
  }
}
