/** Counts what players send. Its seats survive a broken connection, which stock clients need after a move. */
import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";

const SEAT_HELD_S = 30;

const Counter = schema({ count: t.number() }, "Counter");

export default class CounterRoom extends Room {
  override state = new Counter().assign({ count: 0 });

  override onCreate(): void {
    this.onMessage("count", () => {
      this.state.count += 1;
    });
  }

  override async onDrop(client: Client): Promise<void> {
    await this.allowReconnection(client, SEAT_HELD_S);
  }
}
