/**
 * Of which rooms this broker knows the players one by one: of those about which it decides, and of all while somebody
 * watches all players. Of the others their hosts tell the number.
 */
import { shardOf } from "@centroid/protocol";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";

export interface TrackedRoomsOptions {
  hosts: Pick<HostRegistry, "get">;
  rooms: Pick<RoomRegistry, "values" | "count">;
  /** Hosts have to be told what this broker wants to know now. */
  onChange: () => void;
}

export class TrackedRooms {
  readonly #options: TrackedRoomsOptions;
  readonly #shards = new Set<number>();
  #everyone = false;

  constructor(options: TrackedRoomsOptions) {
    this.#options = options;
  }

  /** About which this broker decides. */
  get shards(): number[] {
    return [...this.#shards];
  }

  /** It wants to know the players of all rooms. */
  get everyone(): boolean {
    return this.#everyone;
  }

  /** Hosts of earlier versions tell every broker of everybody. */
  has({ roomId, stage }: Pick<RoomEntry, "roomId" | "stage">): boolean {
    if (this.#everyone || this.#shards.has(shardOf(roomId))) return true;
    return this.#options.hosts.get(stage.hostId)?.facts.counts !== true;
  }

  acquired(shards: readonly number[]): void {
    for (const shard of shards) this.#shards.add(shard);
    this.#options.onChange();
  }

  released(shards: readonly number[]): void {
    for (const shard of shards) this.#shards.delete(shard);
    this.#forgetOthers();
  }

  /** Somebody watches all players from now on, or nobody any more. */
  watch(everyone: boolean): void {
    if (everyone === this.#everyone) return;
    this.#everyone = everyone;
    this.#forgetOthers();
  }

  /** Players of rooms that are another broker's now are remembered by their number only. */
  #forgetOthers(): void {
    const { rooms, onChange } = this.#options;
    for (const room of [...rooms.values()])
      if (room.players > room.counted && !this.has(room)) rooms.count(room, room.players, []);
    onChange();
  }
}
