/** An arena that loses every 9th input, tells every 7th shot twice and every 5th too late. */
import type { Client } from "@colyseus/core";
import Arena from "../../../client/demo/dist/rooms/arena.js";

type Handler = (client: Client, message: { n: number }) => unknown;

export default class CheatingArena extends Arena {
  #late: unknown;

  override onMessage(...args: never[]): never {
    const [type, schema, handler] = args as unknown as [string, unknown, Handler];
    const lossy: Handler = (client, message) =>
      type === "input" && message.n % 9 === 0 ? undefined : handler(client, message);
    const call = super.onMessage as unknown as (...a: unknown[]) => never;
    return call.call(this, type, schema, lossy);
  }

  override broadcast(type: string | number, ...args: unknown[]): void {
    const [message] = args as [{ n: number }];
    const tell = (what: unknown): void => super.broadcast(type, what);
    if (message.n % 5 === 0) {
      this.#late = message;
      return;
    }
    tell(message);
    if (message.n % 7 === 0) tell(message);
    if (this.#late) tell(this.#late);
    this.#late = undefined;
  }
}
