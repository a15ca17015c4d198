/**
 * What a room's code has opened that is Node's and not Colyseus': timers, and what talks to the outside. When the room goes
 * on elsewhere its timers end here, so that its loops do, too; what else is still open a while later is named.
 */

/** An orderly onMovedAway() is through by then, and connections that a pool keeps for reuse have timed out. */
const SETTLED_MS = 10_000;
/** Timers that have ended are forgotten when there are so many, and each time that twice as many are left. */
const MANY_TIMERS = 256;

/** Node says only here whether a timer has fired or was cleared (Node 20 to 24). */
type Timer = (NodeJS.Timeout | NodeJS.Immediate) & { _destroyed?: boolean };

/** What stayed at the host that a room has left. */
export interface LeftBehind {
  /** Timers that were stopped. */
  timers: number;
  /** What is still open, such as `a connection to 10.0.0.7:5432`. */
  open: string[];
}

export class RoomResources {
  readonly #timers = new Set<Timer>();
  readonly #open = new Map<object, () => string>();
  #prunedAbove = MANY_TIMERS;
  #state: "here" | "leaving" | "left" = "here";
  #stopped = 0;

  /** @returns what to ask when something is over that begins now: whether the room's code may go on here then */
  goesOn(): () => boolean {
    const state = this.#state;
    return () => state !== "left" && this.#state === state;
  }

  /** @returns the same timer; of a room that has left it never fires */
  timer<T extends Timer>(timer: T): T {
    if (this.#state === "left") stop(timer);
    else this.#timers.add(timer);
    if (this.#timers.size > this.#prunedAbove) this.#prune();
    return timer;
  }

  /** @param describe asked while it is open */
  opened(resource: object, describe: () => string): void {
    this.#open.set(resource, describe);
  }

  closed(resource: object): void {
    this.#open.delete(resource);
  }

  /**
   * The room goes on elsewhere.
   * @param settled hears later what stayed, if anything did
   */
  leave(settled: (left: LeftBehind) => void): void {
    if (this.#state !== "here") return;
    this.#state = "leaving";
    this.#stopTimers();
    setTimeout(() => {
      this.#state = "left";
      this.#stopTimers();
      const open = [...this.#open.values()].map((describe) => describe());
      this.#open.clear();
      if (this.#stopped > 0 || open.length > 0) settled({ timers: this.#stopped, open });
    }, SETTLED_MS).unref();
  }

  #stopTimers(): void {
    this.#prune();
    this.#stopped += this.#timers.size;
    for (const timer of this.#timers) stop(timer);
    this.#timers.clear();
  }

  #prune(): void {
    for (const timer of this.#timers) if (timer._destroyed === true) this.#timers.delete(timer);
    this.#prunedAbove = Math.max(MANY_TIMERS, 2 * this.#timers.size);
  }
}

function stop(timer: Timer): void {
  if ("refresh" in timer) clearTimeout(timer);
  else clearImmediate(timer);
}
