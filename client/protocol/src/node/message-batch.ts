/**
 * Messages of one program to another over a channel on which each write wakes the other one: what can wait goes along
 * with what cannot, so that the cost is one of writes that are due and not of messages.
 */

/** How several messages travel in one. */
interface BatchMessage {
  type: "batch";
  messages: readonly unknown[];
}

export class MessageBatch<T> {
  readonly #put: (messages: readonly T[]) => void;
  #waiting: T[] = [];
  #dueAtMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param put sends these, in this order */
  constructor(put: (messages: readonly T[]) => void) {
    this.#put = put;
  }

  /** @param withinMs how long it can wait for others; if it cannot, all that wait go now, this one last */
  send(message: T, withinMs = 0): void {
    this.#waiting.push(message);
    if (withinMs <= 0) {
      this.#flush();
      return;
    }
    const dueAtMs = performance.now() + withinMs;
    if (dueAtMs >= this.#dueAtMs) return;
    this.#dueAtMs = dueAtMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), withinMs);
    this.#timer.unref();
  }

  /** What waits, for a caller that sends it along itself. */
  take(): readonly T[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    const messages = this.#waiting;
    this.#waiting = [];
    return messages;
  }

  #flush(): void {
    const messages = this.take();
    if (messages.length > 0) this.#put(messages);
  }
}

/** One message as it is, several as one. */
export const batched = <T>(messages: readonly T[]): T | BatchMessage =>
  messages.length === 1 ? (messages[0] as T) : { type: "batch", messages };

/** The messages of what {@link batched} made. */
export const unbatched = (raw: unknown): readonly unknown[] => {
  const { type, messages } = Object(raw) as Partial<BatchMessage>;
  return type === "batch" && Array.isArray(messages) ? messages : [raw];
};
