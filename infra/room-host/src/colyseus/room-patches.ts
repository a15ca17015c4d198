/** The patches of a room as whoever copies it sees them: before each is encoded, and after it went out. */

import type { Client } from "@colyseus/core";

type Listener = () => void;

export class RoomPatches {
  readonly #before = new Set<Listener>();
  readonly #after = new Set<Listener>();
  #count = 0;
  /** Gets each patch as a client without a view does. */
  witness: Client | undefined;

  /** Those that had something in them, so far. */
  get count(): number {
    return this.#count;
  }

  /** Sees what the next patch will send before the encoder forgets it. @returns ends the subscription */
  onBefore(listener: Listener): () => void {
    this.#before.add(listener);
    return () => this.#before.delete(listener);
  }

  /** Called for empty patches too: the room is between two of its steps. @returns ends the subscription */
  onAfter(listener: Listener): () => void {
    this.#after.add(listener);
    return () => this.#after.delete(listener);
  }

  encoding(): void {
    for (const listener of this.#before) listener();
  }

  sent(changed: boolean): void {
    if (changed) this.#count++;
    for (const listener of [...this.#after]) listener();
  }
}
