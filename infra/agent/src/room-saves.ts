/**
 * To which broker what is saved of a room goes: only the one that decides about the room keeps it and says so. A save that
 * nobody has confirmed goes again to whoever begins to decide, so that none is lost to a change between brokers.
 */
import type { BrokerToAgent, RoomCheckpoint } from "@centroid/protocol";
import type { BrokerLink } from "./broker-link.js";

type Link = Pick<BrokerLink, "checkpoint">;
type Kept = Omit<Extract<BrokerToAgent, { type: "checkpointed" }>, "type">;

export class RoomSaves {
  readonly #links: readonly Link[];
  /** The broker that keeps a room's saves, once it has confirmed one. */
  readonly #keepers = new Map<string, Link>();
  /** By room: the last save, until it is confirmed. */
  readonly #unconfirmed = new Map<string, RoomCheckpoint>();

  /** @param links to all brokers; may still grow */
  constructor(links: readonly Link[]) {
    this.#links = links;
  }

  /** To the broker that kept the last one, else to all. */
  put(saved: RoomCheckpoint): void {
    const { roomId } = saved;
    this.#unconfirmed.set(roomId, saved);
    const keeper = this.#keepers.get(roomId);
    if (keeper?.checkpoint(saved) === true) {
      // If another broker decides by now, this one does not answer and the next goes to all.
      this.#keepers.delete(roomId);
      return;
    }
    for (const link of this.#links) link.checkpoint(saved);
  }

  /** That broker keeps it. */
  kept(link: Link, { roomId, epoch, seq }: Kept): void {
    this.#keepers.set(roomId, link);
    const last = this.#unconfirmed.get(roomId);
    if (last?.epoch === epoch && last.seq <= seq) this.#unconfirmed.delete(roomId);
  }

  /** That broker decides about these rooms from now on, and knows which of them are here. */
  decides(link: Link, about: (roomId: string) => boolean): void {
    for (const [roomId, keeper] of this.#keepers)
      if (keeper !== link && about(roomId)) this.#keepers.delete(roomId);
    for (const [roomId, saved] of this.#unconfirmed) if (about(roomId)) link.checkpoint(saved);
  }

  /** The room is not here any more; should it come back, another broker may decide about it. */
  forget(roomId: string): void {
    this.#keepers.delete(roomId);
    this.#unconfirmed.delete(roomId);
  }
}
