/**
 * Moves that an earlier broker left open. Until both hosts of such a move have spoken, or the wait for them is over,
 * either of them may have the room: nobody may restore it from a checkpoint, and neither side may be told to drop it.
 */
import type { HostRegistry } from "../hosts/host-registry.js";
import type { Granted } from "../hosts/room-grants.js";
import type { UnresolvedMoves } from "../rooms/reconciler.js";
import type { JournalEntry } from "../store/store.js";

export class OpenMoves implements UnresolvedMoves {
  readonly #byId: Map<string, JournalEntry>;

  constructor(entries: readonly JournalEntry[]) {
    this.#byId = new Map(entries.map((entry) => [entry.migrationId, entry]));
  }

  /** True while it is not known which host has the room. */
  undecided(roomId: string): boolean {
    for (const entry of this.#byId.values()) if (entry.roomId === roomId) return true;
    return false;
  }

  /** True if one of them would give the room to this host at this epoch. */
  leadsTo({ roomId, hostId, epoch }: Granted): boolean {
    for (const entry of this.#byId.values())
      if (entry.roomId === roomId && entry.toHostId === hostId && entry.toEpoch === epoch) return true;
    return false;
  }

  /** Moves whose two hosts are both connected, so that they can be asked. */
  askable(hosts: HostRegistry): JournalEntry[] {
    return [...this.#byId.values()].filter(
      ({ fromHostId, toHostId }) =>
        hosts.get(fromHostId)?.peer !== undefined && hosts.get(toHostId)?.peer !== undefined,
    );
  }

  /** From now on the move itself decides. */
  release(matches: (entry: JournalEntry) => boolean): void {
    for (const [migrationId, entry] of this.#byId) if (matches(entry)) this.#byId.delete(migrationId);
  }
}
