/** A player that says the next frame as soon as an earlier one is answered, and notes whatever is lost, doubled or broken. */
import type { Draw } from "../support/draw.js";
import { drawSize, filled, type Got, isFilled } from "./frames.js";

/** Unanswered at the same time. */
const IN_FLIGHT = 2;
/** What room hosts take of a player in one message is less than twice this. */
const MOST_SAID_BYTES = 60_000;
const MOST_ANSWERED_BYTES = 1_000_000;
/** What a lost host had answered may not come again: the room is asked how far it got. */
const ASK_MS = 3_000;

/** The same of Colyseus' client and of Centroid's. */
interface SoakRoom {
  readonly sessionId: string;
  readonly roomId: string;
  send(type: string, message?: unknown): void;
  onMessage(type: string, listener: (message: never) => void): unknown;
  onLeave(listener: (code: number) => void): unknown;
  leave(): Promise<unknown>;
}

export class SoakPlayer {
  readonly room: SoakRoom;
  readonly name: string;
  readonly wrong: string[] = [];
  said = 0;
  /** The room has these. */
  answered = 0;
  answeredBytes = 0;
  readonly #draw: Draw;
  #timer: NodeJS.Timeout | undefined;
  #quiet = false;

  constructor(name: string, room: SoakRoom, draw: Draw) {
    this.name = name;
    this.room = room;
    this.#draw = draw;
    room.onMessage("got", ({ number, bytes }: Got) => this.#got(number, bytes));
    room.onMessage("at", (number: number) => this.#at(number));
    room.onLeave((code) => void this.wrong.push(`left with ${code}`));
    this.#timer = setInterval(() => room.send("where"), ASK_MS);
  }

  start(): void {
    this.#sayOn();
  }

  /** Its own client has reconnected: it does not know what the room has got of what it said last. */
  reconnected(): void {
    this.said = Number.NaN;
    this.room.send("where");
  }

  /** Says nothing more. Resolves when all that it said is answered. */
  quiet(): void {
    this.#quiet = true;
  }

  get complete(): boolean {
    return this.answered === this.said;
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    this.wrong.length = 0;
    await this.room.leave();
  }

  #got(number: number, bytes: Uint8Array): void {
    this.answeredBytes += bytes.byteLength;
    if (!isFilled(bytes, number)) this.wrong.push(`the answer to ${number} is broken`);
    if (number > this.said) this.wrong.push(`${number} is answered and was not said`);
    this.#has(number);
  }

  #at(number: number): void {
    // A room that was built again answers once more what it was asked since it was saved.
    if (!Number.isNaN(this.said)) {
      this.#has(number);
      return;
    }
    if (number < this.answered) this.wrong.push(`the room has ${number} and had ${this.answered}`);
    this.said = number;
    this.#has(number);
  }

  #has(number: number): void {
    this.answered = Math.max(this.answered, number);
    this.#sayOn();
  }

  #sayOn(): void {
    while (!this.#quiet && this.said - this.answered < IN_FLIGHT) {
      const number = ++this.said;
      const bytes = filled(drawSize(this.#draw, MOST_SAID_BYTES), number);
      this.room.send("put", { number, bytes, answerBytes: drawSize(this.#draw, MOST_ANSWERED_BYTES) });
    }
  }
}
