/** The state of a session's connection, and the one way from it to the next. */
import { type ConnectionState, ownedBy } from "./connection-state.js";
import type { SessionSocket } from "./dial.js";

export class SessionConnection {
  readonly #onLetGo: () => void;
  #now: ConnectionState = { state: "closed" };

  /** @param onLetGo called when the socket of before is not this session's any more, or is being closed */
  constructor(onLetGo: () => void) {
    this.#onLetGo = onLetGo;
  }

  get now(): ConnectionState {
    return this.#now;
  }

  /** The socket of now, if there is one. */
  get socket(): SessionSocket | undefined {
    return "socket" in this.#now ? this.#now.socket : undefined;
  }

  /** Ends what only the state of before had. */
  become(next: ConnectionState): void {
    const before = this.#now;
    const socket = this.socket;
    this.#now = next;
    if (this.socket !== socket || next.state === "leaving") this.#onLetGo();
    const kept = new Set(ownedBy(next));
    for (const owned of ownedBy(before)) if (!kept.has(owned)) owned.cancel();
  }
}
