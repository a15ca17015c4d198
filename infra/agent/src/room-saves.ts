/**
 * To which broker what is saved of a room goes: only the one that decides about the room keeps it and says so. A save that
 * nobody has confirmed goes to the others once one refuses it, and again to whoever begins to decide, so that none is lost
 * to a change between brokers.
 */
import type { BrokerToAgent, RoomCheckpoint } from "@centroid/protocol";
import type { BrokerLink } from "./broker-link.js";

type Link = Pick<BrokerLink, "checkpoint">;
type Kept = Omit<Extract<BrokerToAgent, { type: "checkpointed" }>, "type">;

/** A save that no broker has confirmed yet. */
interface Unconfirmed {
  saved: RoomCheckpoint;
  /** Brokers that have it and have not said anything. */
  asked: Set<Link>;
  /** Those that have refused it. */
  refusedBy: Set<Link>;
}

export class RoomSaves {
  readonly #links: readonly Link[];
  /** The broker that keeps a room's saves, once it has confirmed one. */
  readonly #keepers = new Map<string, Link>();
  /** By room: the last save, until it is confirmed. */
  readonly #unconfirmed = new Map<string, Unconfirmed>();

  /** @param links to all brokers; may still grow */
  constructor(links: readonly Link[]) {
    this.#links = links;
  }

  /** To the broker that kept the last one, else to all. */
  put(saved: RoomCheckpoint): void {
    const { roomId } = saved;
    const save: Unconfirmed = { saved, asked: new Set(), refusedBy: new Set() };
    this.#unconfirmed.set(roomId, save);
    const keeper = this.#keepers.get(roomId);
    // If another broker decides by now, this one refuses and the others are asked; of an earlier version, at the next save.
    this.#keepers.delete(roomId);
    if (keeper !== undefined && ask(save, keeper)) return;
    for (const link of this.#links) ask(save, link);
  }

  /** That broker keeps it. */
  kept(link: Link, { roomId, epoch, seq }: Kept): void {
    this.#keepers.set(roomId, link);
    const { saved: last } = this.#unconfirmed.get(roomId) ?? {};
    if (last?.epoch === epoch && last.seq <= seq) this.#unconfirmed.delete(roomId);
  }

  /** That broker does not keep it. @returns true if none does, as far as they can be asked */
  refused(link: Link, { roomId, epoch, seq }: Kept): boolean {
    const save = this.#unconfirmed.get(roomId);
    if (save?.saved.epoch !== epoch || save.saved.seq !== seq) return false;
    save.asked.delete(link);
    save.refusedBy.add(link);
    for (const other of this.#links)
      if (!save.asked.has(other) && !save.refusedBy.has(other)) ask(save, other);
    return save.asked.size === 0;
  }

  /** That broker decides about these rooms from now on, and knows which of them are here. */
  decides(link: Link, about: (roomId: string) => boolean): void {
    for (const [roomId, keeper] of this.#keepers)
      if (keeper !== link && about(roomId)) this.#keepers.delete(roomId);
    for (const [roomId, save] of this.#unconfirmed) if (about(roomId)) ask(save, link);
  }

  /** The room is not here any more; should it come back, another broker may decide about it. */
  forget(roomId: string): void {
    this.#keepers.delete(roomId);
    this.#unconfirmed.delete(roomId);
  }
}

/** @returns false if that broker is away */
function ask({ saved, asked }: Unconfirmed, link: Link): boolean {
  const isThere = link.checkpoint(saved);
  if (isThere) asked.add(link);
  return isThere;
}
