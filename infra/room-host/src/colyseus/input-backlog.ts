/**
 * What players said while their room stood still on its way to this host comes here all at once. A room on fixed steps
 * takes it in steps that it owes them: faster than usual, in order, none pushed out of a full buffer. So a room that takes
 * one input per step does not lag behind its players for ever after.
 */
import type { RoomInputs } from "./inputs.js";
import type { MovableClient } from "./movable-client.js";
import type { RoomClock } from "./room-clock.js";

/** Beside the one that is due: with five in a turn Colyseus drops the rest. */
const MAX_EXTRA_STEPS = 3;
/** Catching up ends after so long, whatever waits then: the room does not keep up with its players anyhow. */
const CATCH_UP_MS = 10_000;

type Deliver = (frame: Buffer) => void;

interface Queue {
  client: MovableClient;
  frames: Buffer[];
  deliver: Deliver;
}

export interface InputBacklogOptions {
  clock: RoomClock;
  inputs: RoomInputs;
  clients: () => MovableClient[];
  now: () => number;
}

export class InputBacklog {
  readonly #options: InputBacklogOptions;
  readonly #queues = new Map<MovableClient, Queue>();
  #untilMs = Number.NEGATIVE_INFINITY;
  #owedMs = 0;

  constructor(options: InputBacklogOptions) {
    this.#options = options;
  }

  /** @param stoodStillMs at most so much room time is owed; all that players ask for if nobody knows how long it was */
  begin(stoodStillMs = CATCH_UP_MS): void {
    const { clock, now } = this.#options;
    if (clock.stepMs === undefined) return;
    this.#untilMs = now() + CATCH_UP_MS;
    this.#owedMs = Math.min(Math.max(this.#owedMs, stoodStillMs), CATCH_UP_MS);
    clock.catchUp(() => this.#extraSteps());
  }

  /** Nothing is owed any more, if nothing waits. @returns false if something does */
  endIdle(): boolean {
    if (this.#queues.size > 0) return false;
    this.#end();
    return true;
  }

  /** A frame of a client reaches the room, now or when there is room for it. */
  take(client: MovableClient, frame: Buffer, deliver: Deliver): void {
    const queue = this.#queues.size === 0 ? undefined : this.#queues.get(client);
    if (queue === undefined && !this.#waits(client)) deliver(frame);
    else {
      const waiting = queue ?? { client, frames: [], deliver };
      waiting.frames.push(Buffer.from(frame));
      this.#queues.set(client, waiting);
    }
  }

  /** Frames that have arrived and not reached the room. */
  waiting(client: MovableClient): readonly Uint8Array[] {
    return this.#queues.get(client)?.frames ?? [];
  }

  /** The room has taken a step. */
  stepped(): void {
    for (const queue of this.#queues.values()) this.#drain(queue);
  }

  forget(client: MovableClient): void {
    this.#queues.delete(client);
  }

  get #active(): boolean {
    // Asked for each frame, and hardly ever so: no clock is read for nothing.
    return this.#untilMs !== Number.NEGATIVE_INFINITY && this.#options.now() < this.#untilMs;
  }

  #waits(client: MovableClient): boolean {
    return this.#active && this.#options.inputs.pending(client).full;
  }

  #drain(queue: Queue): void {
    while (queue.frames.length > 0 && !this.#waits(queue.client)) {
      const frame = queue.frames.shift();
      if (frame !== undefined) queue.deliver(frame);
    }
    if (queue.frames.length === 0) this.#queues.delete(queue.client);
  }

  #extraSteps(): number {
    const { clock, inputs, clients } = this.#options;
    const stepMs = clock.stepMs ?? 0;
    if (!this.#active || this.#owedMs < stepMs) {
      this.#end();
      return 0;
    }
    const most = Math.max(
      0,
      ...clients().map((client) => inputs.pending(client).count + this.waiting(client).length),
    );
    const extra = Math.min(MAX_EXTRA_STEPS, Math.max(0, most - 1), Math.floor(this.#owedMs / stepMs));
    this.#owedMs -= extra * stepMs;
    return extra;
  }

  #end(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#owedMs = 0;
    this.#options.clock.catchUp(undefined);
    this.stepped();
  }
}
