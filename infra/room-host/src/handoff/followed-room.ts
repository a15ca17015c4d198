/** A deterministic room on its way here that does after its source what drives it there, until it is taken over at an agreed step. */
import { setImmediate as nextLoop } from "node:timers/promises";
import { Lockstep } from "../colyseus/lockstep.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { SessionRecord } from "../colyseus/room-record.js";
import { type Difference, StepFollower } from "../in-step/follower.js";
import type { StepEvent } from "../in-step/step-events.js";
import { differingPart, digestRoom, type RoomDigest } from "../transfer/room-digest.js";

export interface FollowedRoomOptions {
  /** Whole, and held. */
  room: MovableRoom;
  clients: Map<string, MovableClient>;
  sessions: readonly SessionRecord[];
  /** It was the same as at the source at the digest of that number. */
  onAgreed: (number: number) => void;
}

export class FollowedRoom {
  readonly room: MovableRoom;
  readonly clients: Map<string, MovableClient>;
  readonly sessions: readonly SessionRecord[];
  readonly #follower: StepFollower<RoomDigest>;

  constructor({ room, clients, sessions, onAgreed }: FollowedRoomOptions) {
    this.room = room;
    this.clients = clients;
    this.sessions = sessions;
    this.#mirrors(true);
    this.#follower = new StepFollower({
      driven: new Lockstep(room),
      digest: () => digestRoom(room),
      differing: differingPart,
      onAgreed,
      pause: () => nextLoop(),
    });
  }

  /** @returns in what it is another here, after which nothing more is done */
  follow(events: readonly StepEvent<RoomDigest>[]): Promise<Difference | undefined> {
    return this.#follower.follow(events);
  }

  /** From here on the room drives itself. @returns the hash of its state */
  leadItself(): string {
    const { state } = digestRoom(this.room);
    this.#mirrors(false);
    return state;
  }

  /** What it does to its players another host does to them, too. */
  #mirrors(on: boolean): void {
    this.room.move.follows = on;
    for (const { link } of this.clients.values()) link.mirrors = on;
  }
}
