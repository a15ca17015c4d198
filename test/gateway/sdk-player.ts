/** A player on Centroid's SDK who counts what it says, and notes whatever is not as it should be. */
import { CentroidClient, type CentroidClientOptions } from "@centroid/sdk";
import { expect } from "vitest";
import { until } from "../broker/support/world.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PATIENCE_MS } from "./support.js";

export class SdkPlayer {
  readonly wrong: string[] = [];
  sent = 0;
  shots = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(readonly room: LedgerRoom) {
    let last: number | undefined;
    room.onMessage("shot", (shot: number) => {
      this.shots++;
      if (last !== undefined && shot !== last + 1) this.wrong.push(`shot ${shot} after ${last}`);
      last = shot;
    });
    room.onDrop(() => void this.wrong.push("dropped"));
    room.onReconnect(() => void this.wrong.push("reconnected"));
    room.onLeave((code) => void this.wrong.push(`left with ${code}`));
  }

  static async join(url: string, options: CentroidClientOptions = { probing: false }): Promise<SdkPlayer> {
    const client = new CentroidClient(url, options);
    const player = new SdkPlayer((await client.joinOrCreate<LedgerState>("ledger")) as LedgerRoom);
    await until(() => player.entry !== undefined, PATIENCE_MS);
    return player;
  }

  get entry() {
    return this.room.state.entries?.get(this.room.sessionId);
  }

  talk(): void {
    this.#timer = setInterval(() => this.room.send("say", ++this.sent), 5);
  }

  /** Talks on until so much more has been heard in either direction. */
  async more(count: number): Promise<void> {
    const [shots, said] = [this.shots + count, (this.entry?.last ?? 0) + count];
    await until(() => this.shots > shots && (this.entry?.last ?? 0) > said, PATIENCE_MS);
  }

  async hush(): Promise<void> {
    clearInterval(this.#timer);
    await until(() => this.entry?.last === this.sent, PATIENCE_MS);
  }

  /** Says no more and leaves. @throws if anything was lost, doubled or out of order, or the player was dropped on the way */
  async leaveWhole(): Promise<void> {
    await this.hush();
    expect(this.entry).toMatchObject({ count: this.sent, disorder: 0, connected: true });
    expect(this.wrong).toEqual([]);
    await this.room.leave();
  }
}
