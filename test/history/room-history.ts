/**
 * What a room of the fixtures writes down of itself. Belongs to the room: goes along in the copies that are made of
 * it, so that a later life of the room knows where it has begun.
 */
import { randomUUID } from "node:crypto";
import type { Room } from "@colyseus/core";
import { Recorder } from "./recorder.js";

/** What a copy of the room has of its history. */
export interface HistoryMark {
  folder: string;
  life: string;
  position: number;
  tick: number;
}

/** What a room tells its players with each step. */
export interface NumberedTick {
  life: string;
  tick: number;
}

/** The room host keeps the epoch of a room there. */
interface Owned {
  move?: { epoch?: number };
}

export class RoomHistory {
  readonly #room: Room;
  readonly #folder: string;
  readonly #recorder: Recorder;
  readonly #life: string;
  #position = 0;
  #tick = 0;

  private constructor(room: Room, folder: string, life: string) {
    this.#room = room;
    this.#folder = folder;
    this.#life = life;
    this.#recorder = new Recorder(folder, `room-${room.roomId}-${process.pid}`);
  }

  static begin(room: Room, folder: string): RoomHistory {
    return new RoomHistory(room, folder, randomUUID().slice(0, 8));
  }

  /** @param last the last number that the copy's state has of each session */
  static resume(room: Room, mark: HistoryMark, last: Record<string, number>): RoomHistory {
    const history = RoomHistory.begin(room, mark.folder);
    history.#position = mark.position;
    history.#tick = mark.tick;
    const { life, position, tick } = mark;
    history.#recorder.record({
      type: "thawed",
      roomId: room.roomId,
      life: history.#life,
      host: process.pid,
      from: { life, position, tick },
      last,
    });
    return history;
  }

  get mark(): HistoryMark {
    return { folder: this.#folder, life: this.#life, position: this.#position, tick: this.#tick };
  }

  heard(session: string, number: number): void {
    this.#recorder.record({ type: "heard", session, number, ...this.#effect() });
  }

  /** @returns what to tell the players */
  ticked(): NumberedTick {
    this.#tick++;
    this.#recorder.record({ type: "ticked", tick: this.#tick, ...this.#effect() });
    return { life: this.#life, tick: this.#tick };
  }

  close(): void {
    this.#recorder[Symbol.dispose]();
  }

  #effect(): { roomId: string; life: string; epoch: number; host: number; position: number } {
    return {
      roomId: this.#room.roomId,
      life: this.#life,
      epoch: (this.#room as unknown as Owned).move?.epoch ?? 0,
      host: process.pid,
      position: this.#position++,
    };
  }
}
