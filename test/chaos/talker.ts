/** A player that says numbers in order and checks in the room's own state that each was heard once. */
import { CentroidClient } from "@centroid/sdk";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";

const SAY_EVERY_MS = 50;

export class Talker implements Disposable {
  readonly #client: CentroidClient;
  readonly #room: LedgerRoom;
  readonly #sessionId: string;
  #timer: NodeJS.Timeout | undefined;
  said = 0;
  moves = 0;
  restored = 0;
  /** Set when the session ended though nobody left. */
  ended: string | undefined;

  private constructor(client: CentroidClient, room: LedgerRoom) {
    this.#client = client;
    this.#room = room;
    this.#sessionId = room.sessionId;
    room.onMigrate(({ restored }) => {
      if (restored) this.restored++;
      else this.moves++;
    });
    room.onMessage("shot", () => undefined);
    room.onLeave((code) => {
      this.ended ??= `session ${this.#sessionId} ended with ${code}`;
    });
    this.#timer = setInterval(() => room.send("say", ++this.said), SAY_EVERY_MS);
  }

  /** @param where a room to join, or the type of one to make */
  static async join(
    brokers: readonly string[],
    network: string,
    where: { roomId: string } | { type: string },
  ): Promise<Talker> {
    const client = new CentroidClient(brokers, { network, probing: { intervalMs: 500 } });
    const room = await ("type" in where
      ? client.create<LedgerState>(where.type)
      : client.joinById<LedgerState>(where.roomId));
    return new Talker(client, room as LedgerRoom);
  }

  get roomId(): string {
    return this.#room.roomId;
  }

  /** What the room has of this player. */
  get heard(): { count: number; disorder: number } {
    const entry = this.#room.state?.entries?.get(this.#sessionId);
    return { count: entry?.count ?? 0, disorder: entry?.disorder ?? 0 };
  }

  quiet(): void {
    clearInterval(this.#timer);
  }

  async leave(): Promise<void> {
    this.ended = "left";
    await Promise.race([this.#room.leave(), new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
  }

  [Symbol.dispose](): void {
    this.quiet();
    this.#client.dispose();
  }
}
