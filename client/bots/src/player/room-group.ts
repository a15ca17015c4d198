/** The room of a group of bots: the first to come makes it, the others join it by its id. */
import type { CentroidClient, CentroidRoom } from "@centroid/sdk";
import { codeOf } from "../measure/tally.js";
import type { BotView } from "./behaviours.js";

/** Answers that mean that the room is over or closed and a new one is needed; 522 is Colyseus' for a bad id. */
const ROOM_IS_GONE = new Set(["ROOM_NOT_FOUND", "404", "522"]);

export interface JoinedRoom {
  readonly room: CentroidRoom<BotView>;
  readonly joinMs: number;
}

async function timed(join: () => Promise<CentroidRoom<BotView>>): Promise<JoinedRoom> {
  const startedMs = performance.now();
  return { room: await join(), joinMs: performance.now() - startedMs };
}

export class RoomGroup {
  readonly #roomType: string;
  #roomId: string | undefined;
  #creating: Promise<unknown> | undefined;

  constructor(roomType: string) {
    this.#roomType = roomType;
  }

  /**
   * Joins the group's room, or makes it; two never make it at the same time.
   * @returns the room and how long joining took, without waiting for another bot to make it
   */
  async join(client: CentroidClient, options: Record<string, unknown>): Promise<JoinedRoom> {
    for (;;) {
      const roomId = this.#roomId;
      if (roomId !== undefined) {
        try {
          return await timed(() => client.joinById<BotView>(roomId, options));
        } catch (cause) {
          if (!ROOM_IS_GONE.has(codeOf(cause))) throw cause;
          if (this.#roomId === roomId) this.#roomId = undefined;
        }
      } else if (this.#creating) {
        await this.#creating.catch(() => undefined);
      } else {
        return await timed(() => this.#create(client, options));
      }
    }
  }

  async #create(client: CentroidClient, options: Record<string, unknown>): Promise<CentroidRoom<BotView>> {
    const creating = client.create<BotView>(this.#roomType, options);
    this.#creating = creating;
    try {
      const room = await creating;
      this.#roomId = room.roomId;
      return room;
    } finally {
      this.#creating = undefined;
    }
  }
}
