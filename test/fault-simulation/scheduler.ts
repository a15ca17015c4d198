/** Simulated time: one queue of events for all processes of a world, run one at a time in a fixed order. */

/** Real, whatever is simulated: a turn of the event loop runs every promise reaction that is due. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One process of the simulated world. What it started ends with it. */
export class SimProcess {
  readonly name: string;
  readonly machine: string;
  /** Counts starts and ends: what belongs to an earlier life never runs again. */
  life = 0;
  alive = false;
  stopped = false;
  startedAtMs = 0;
  /** What its wall clock is off by. */
  wallOffsetMs = 0;
  /** Due while it was stopped, in order. */
  readonly waiting: Event[] = [];

  constructor(name: string, machine: string) {
    this.name = name;
    this.machine = machine;
  }
}

interface Event {
  atMs: number;
  /** It came over the network. */
  read: boolean;
  order: number;
  process: SimProcess | undefined;
  life: number;
  run: () => void;
  cancelled: boolean;
}

export class Scheduler {
  nowMs = 0;
  /** A process that was stopped reads what has come before its timers run: it stood still while it waited for that. */
  readsFirst = false;
  /** Events run so far. */
  count = 0;
  /** Whose event runs just now. */
  current: SimProcess | undefined;
  /** Told of what nobody has caught in a process. */
  onError: (process: SimProcess | undefined, cause: unknown) => void = (_process, cause) => {
    throw cause;
  };
  readonly #heap: Event[] = [];
  #order = 0;

  /**
   * @param process whose event it is: dropped when that ends, put off while it is stopped
   * @param read whether it comes over the network
   * @returns what cancels it
   */
  after(delayMs: number, process: SimProcess | undefined, run: () => void, read = false): () => void {
    const atMs = this.nowMs + Math.max(0, delayMs);
    const order = this.#order++;
    const event = { atMs, order, process, life: process?.life ?? 0, run, cancelled: false, read };
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  start(process: SimProcess): void {
    process.life++;
    process.alive = true;
    process.stopped = false;
    process.startedAtMs = this.nowMs;
  }

  end(process: SimProcess): void {
    process.life++;
    process.alive = false;
    process.stopped = false;
    process.waiting.length = 0;
  }

  /** SIGSTOP. */
  stop(process: SimProcess): void {
    if (process.alive) process.stopped = true;
  }

  /** SIGCONT: everything that was due happens now, in order. */
  goOn(process: SimProcess): void {
    process.stopped = false;
    const waiting = process.waiting.splice(0);
    const read = this.readsFirst ? waiting.filter((event) => event.read) : [];
    for (const event of [...read, ...waiting.filter((event) => !read.includes(event))]) {
      event.atMs = this.nowMs;
      event.order = this.#order++;
      this.#push(event);
    }
  }

  /** Runs until `done` says so, looked at `everyMs`, or until `untilMs`. */
  async run(untilMs: number, done: () => boolean = () => false, everyMs = 100): Promise<void> {
    let lookAtMs = this.nowMs + everyMs;
    await turn();
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return;
      }
      if (event.atMs >= lookAtMs) {
        if (done()) return;
        lookAtMs = event.atMs + everyMs;
      }
      this.#pop();
      const { process } = event;
      if (event.cancelled || (process !== undefined && process.life !== event.life)) continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      if (process?.stopped === true) {
        process.waiting.push(event);
        continue;
      }
      this.count++;
      this.current = process;
      try {
        event.run();
      } catch (cause) {
        this.onError(process, cause);
      }
      await turn();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
