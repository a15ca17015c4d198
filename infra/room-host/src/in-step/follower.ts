/** The host to which a deterministic room goes: it does after the room's host what drives the room there, and compares. */
import type { Driven, StepEvent } from "./step-events.js";

export interface StepFollowerOptions<D> {
  driven: Driven;
  /** What the room is now. */
  digest: () => D;
  /** @returns the first part in which they differ */
  differing: (one: D, other: D) => string | undefined;
  onAgreed: (number: number) => void;
  /** Lets pass what handlers of frames have left to be done at once. */
  pause: () => Promise<void>;
}

/** In what the room is another here, and at which of its steps since it is followed. */
export interface Difference {
  part: string;
  step: number;
}

export class StepFollower<D> {
  readonly #options: StepFollowerOptions<D>;
  #steps = 0;

  constructor(options: StepFollowerOptions<D>) {
    this.#options = options;
  }

  /** To be called with one log after the other. @returns the difference, after which nothing more is done */
  async follow(events: readonly StepEvent<D>[]): Promise<Difference | undefined> {
    const { driven, pause } = this.#options;
    let framed = false;
    for (const event of events) {
      if (framed && event.type !== "frame") await pause();
      framed = event.type === "frame";
      switch (event.type) {
        case "frame":
          driven.frame(event.sessionId, event.frame);
          break;
        case "turn":
          driven.turn(event.steps);
          this.#steps += event.steps;
          break;
        case "patch":
          driven.patch();
          break;
        case "digest": {
          const part = this.#options.differing(event.digest, this.#options.digest());
          if (part !== undefined) return { part, step: this.#steps };
          this.#options.onAgreed(event.number);
          break;
        }
        default:
          event satisfies never;
      }
    }
    if (framed) await pause();
    return undefined;
  }
}
