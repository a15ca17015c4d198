/** One direction of an emulated connection: bytes leave in order, each chunk one delay after it came. */
import type { Socket } from "node:net";
import type { DeadlineQueue, Due } from "./deadline-queue.js";

/** Bytes in flight on one direction before its source is paused; far above any bandwidth-delay of a game. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

type Item =
  | { readonly kind: "data"; readonly atMs: number; readonly data: Buffer }
  | { readonly kind: "end"; readonly atMs: number }
  | { readonly kind: "reset"; readonly atMs: number };

export interface PipeOptions {
  readonly queue: DeadlineQueue;
  /** One-way delay now, ms; asked for every chunk, so that a travelling player's delay changes live. */
  readonly delayMs: () => number;
  /** Stops or resumes reading from where the bytes come. */
  readonly throttle: (paused: boolean) => void;
}

/** Delays bytes on their way to a socket. Order is kept: a shorter delay never overtakes a longer one. */
export class DelayedPipe implements Due {
  readonly #options: PipeOptions;
  readonly #items: Item[] = [];
  #first = 0;
  #bytes = 0;
  #scheduled = false;
  #throttled = false;
  #blocked = false;
  #closed = false;
  #destination: Socket | undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  /** Gives the pipe its exit; what is already due leaves at once. */
  attach(destination: Socket): void {
    this.#destination = destination;
    destination.on("drain", () => {
      this.#blocked = false;
      this.#flush(this.#options.queue.dueUntil());
    });
    this.#flush(this.#options.queue.dueUntil());
  }

  /** @param extraMs added to the delay of this chunk (connection set-up) */
  push(data: Buffer, extraMs = 0): void {
    if (this.#closed || data.byteLength === 0) return;
    this.#bytes += data.byteLength;
    this.#add({ kind: "data", atMs: this.#deadline(extraMs), data });
    if (this.#bytes > MAX_IN_FLIGHT_BYTES && !this.#throttled) {
      this.#throttled = true;
      this.#options.throttle(true);
    }
  }

  /** Half-close: the destination is ended after everything before it. */
  end(): void {
    if (!this.#closed) this.#add({ kind: "end", atMs: this.#deadline(0) });
  }

  /** The source broke: the destination is torn down after everything before it. */
  reset(): void {
    if (!this.#closed) this.#add({ kind: "reset", atMs: this.#deadline(0) });
  }

  /** Drops what is in flight. */
  close(): void {
    this.#closed = true;
    this.#items.length = 0;
    this.#first = 0;
    this.#bytes = 0;
  }

  onDue(untilMs: number): void {
    this.#scheduled = false;
    this.#flush(untilMs);
  }

  #deadline(extraMs: number): number {
    const { queue, delayMs } = this.#options;
    return queue.now() + delayMs() + extraMs;
  }

  #add(item: Item): void {
    this.#items.push(item);
    const until = this.#options.queue.dueUntil();
    // Distance zero needs no timer.
    if (item.atMs <= until) this.#flush(until);
    else this.#wake();
  }

  #wake(): void {
    const head = this.#items[this.#first];
    if (!head || this.#scheduled || this.#blocked || !this.#destination) return;
    this.#scheduled = true;
    this.#options.queue.schedule(head.atMs, this);
  }

  #flush(untilMs: number): void {
    const destination = this.#destination;
    if (!destination || this.#closed) return;
    destination.cork();
    for (;;) {
      const head = this.#items[this.#first];
      if (!head || this.#blocked || head.atMs > untilMs) break;
      this.#first += 1;
      switch (head.kind) {
        case "data":
          this.#bytes -= head.data.byteLength;
          if (!destination.write(head.data)) this.#blocked = true;
          break;
        case "end":
          destination.end();
          break;
        case "reset":
          destination.resetAndDestroy();
          break;
        default:
          head satisfies never;
      }
    }
    destination.uncork();
    this.#compact();
    if (this.#throttled && this.#bytes <= MAX_IN_FLIGHT_BYTES / 2) {
      this.#throttled = false;
      this.#options.throttle(false);
    }
    this.#wake();
  }

  #compact(): void {
    // Shifting one by one is quadratic on long queues; dropping the served half is not.
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    } else if (this.#first === this.#items.length) {
      this.#items.length = 0;
      this.#first = 0;
    }
  }
}
