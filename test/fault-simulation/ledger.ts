/** The room of simulated worlds: writes down what it gets and when its time goes on. */
import type { Client, Room } from "@colyseus/core";

const TICK_MS = 100;
/** Longer than any fault of a simulated world. */
const SEAT_HELD_S = 20;

export interface Ledger {
  readonly life: number;
  readonly log: Record<string, number[]>;
}

export interface LedgerEvents {
  /** @returns the number of this life of the room */
  created(roomId: string, room: Ledger): number;
  ticked(roomId: string, life: number, number: number): void;
  applied(roomId: string, life: number, sessionId: string, number: number): void;
}

/** @param Base Colyseus' room class of the process that it is for */
export function ledger(Base: typeof Room, events: LedgerEvents, replicated: boolean): new () => Room {
  return class extends Base implements Ledger {
    static replicated = replicated;
    override patchRate = TICK_MS;
    life = 0;
    ticks = 0;
    log: Record<string, number[]> = {};

    override onCreate(): void {
      this.life = events.created(this.roomId, this);
      this.setSimulationInterval(() => {
        events.ticked(this.roomId, this.life, ++this.ticks);
        this.broadcast("tick", this.ticks);
      }, TICK_MS);
      this.onMessage("say", ({ sessionId }: Client, number: number) => {
        events.applied(this.roomId, this.life, sessionId, number);
        const numbers = this.log[sessionId];
        if (numbers === undefined) this.log[sessionId] = [number];
        else numbers.push(number);
      });
    }

    /** A seat outlives its connection for a while, as in rooms that people make. */
    override async onDrop(client: Client): Promise<void> {
      await this.allowReconnection(client, SEAT_HELD_S).catch(() => undefined);
    }

    onFreeze(): unknown {
      return { ticks: this.ticks, log: this.log };
    }

    onThaw(extra: { ticks: number; log: Record<string, number[]> }): void {
      this.ticks = extra.ticks;
      this.log = extra.log;
    }
  };
}
