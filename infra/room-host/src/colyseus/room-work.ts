/**
 * The heavy work of a room: which of its players' requests are with the workers, so that they travel with the room and are
 * answered once; and what that costs. Results that come while the room stands still wait until it goes on here; if it goes
 * on elsewhere, they are worked out there.
 */
import { CentroidError } from "@centroid/protocol";
import type { HostWorkers, RoomMarks, WorkAnswer, Workers, WorkersOptions } from "@centroid/room";
import { type Client, ErrorCode, type Room } from "@colyseus/core";
import { type MeasuredWork, WorkMeter } from "../workers/work-meter.js";
import type { WorkOutcome } from "../workers/worker-pool.js";
import type { PoolLease, WorkerPools } from "../workers/worker-pools.js";
import type { RoomActivity } from "./room-activity.js";
import type { RoomClock } from "./room-clock.js";

const DEFAULTS = { threads: 1, timeoutMs: 5_000, maxQueued: 32, maxPerPlayer: 2 } as const;
/** Threads that are not there by then start while the room has moved already; its requests wait for them. */
const WARM_TIMEOUT_MS = 8_000;
/** While there is work, its cost is told so often. */
const REPORT_MS = 2_000;

export interface RoomWorkOptions {
  room: Room;
  clock: RoomClock;
  activity: RoomActivity;
  pools: WorkerPools;
}

/** A player's request that has no answer yet. */
interface OpenRequest {
  sessionId: string;
  /** As it came, to be delivered again at the next host. */
  frame: Buffer;
}

/** What Colyseus gives a handler; only a request has an id. */
type Context = { id?: number | undefined } | undefined;

export class RoomWork implements HostWorkers {
  readonly #options: RoomWorkOptions;
  readonly #leases: PoolLease[] = [];
  readonly #handles: object[] = [];
  /** In the order in which they came. */
  readonly #open = new Set<OpenRequest>();
  readonly #cancels = new Set<() => void>();
  readonly #meter = new WorkMeter(() => performance.now());
  /** Results that wait until the room goes on. */
  #withheld: (() => void)[] = [];
  /** The frame whose handler is being called. */
  #frame: Buffer | undefined;
  #notice: (line: string) => void = () => undefined;
  #reporting: NodeJS.Timeout | undefined;
  #ended = false;
  /** Hears what the work costs: again and again while there is some, and once more when there is none. */
  onReport: ((work: MeasuredWork) => void) | undefined;

  constructor(options: RoomWorkOptions) {
    this.#options = options;
    options.clock.onResumed(() => {
      for (const deliver of this.#withheld.splice(0)) deliver();
    });
  }

  /** Who hears what an operator should know of the workers. */
  set notice(notice: (line: string) => void) {
    this.#notice = notice;
  }

  /** Handlers of this frame are called in `deliver`, none later. */
  receiving(frame: Buffer, deliver: () => void): void {
    this.#frame = frame;
    try {
      deliver();
    } finally {
      this.#frame = undefined;
    }
  }

  open<Input, Output>(file: URL, given: WorkersOptions): Workers<Input, Output> {
    const options = { ...DEFAULTS, ...given };
    const lease = this.#options.pools.lease(file, options.threads, (line) => this.#notice(line));
    this.#leases.push(lease);
    if (this.#leases.length === 1) {
      const { _events: events } = this.#options.room as unknown as { _events: NodeJS.EventEmitter };
      events.once("dispose", () => this.#end());
    }
    const run = (input: unknown): Promise<WorkOutcome> => this.#run(lease, input, options);
    const handle = {
      answer: (type: string, answer: WorkAnswer<Input, Output> = {}) =>
        this.#answer(type, answer, run, options.maxPerPlayer),
      run: async (input: Input): Promise<Output> => outputOf(await run(input)) as Output,
    };
    Object.defineProperty(handle, "measured", { get: () => this.#meter.measured(), enumerable: true });
    this.#handles.push(handle);
    return handle as Workers<Input, Output>;
  }

  /** Resolves when the threads of the room have started, or that takes too long. @throws CentroidError WORK_FAILED */
  async warm(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WARM_TIMEOUT_MS);
    });
    try {
      await Promise.race([Promise.all(this.#leases.map(({ pool }) => pool.ready())), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The room has asked for threads. */
  get used(): boolean {
    return this.#leases.length > 0;
  }

  /** Measured, else as its class declares it; undefined of a room that has no workers and declares nothing. */
  get report(): MeasuredWork | undefined {
    const measured = this.#meter.measured();
    if (measured !== undefined) return measured;
    const declared = (this.#options.room.constructor as RoomMarks).work;
    return declared && { ...declared, queueMs: 0, declared: true };
  }

  /** Requests of a session that have no answer, in order. */
  unanswered(sessionId: string): Buffer[] {
    return [...this.#open].filter((one) => one.sessionId === sessionId).map(({ frame }) => frame);
  }

  /** Which of the room's workers this is, in the order in which it asked for them. */
  indexOf(handle: object): number {
    return this.#handles.indexOf(handle);
  }

  handleAt(index: number): object | undefined {
    return this.#handles[index];
  }

  #answer<Input, Output>(
    type: string,
    { input: inputOf, done }: WorkAnswer<Input, Output>,
    run: (input: unknown) => Promise<WorkOutcome>,
    maxPerPlayer: number,
  ): void {
    const { room, activity } = this.#options;
    room.onMessage(type, (client: Client, received: unknown, context: Context) => {
      const frame = this.#frame;
      const message = copyOf(received);
      const reply = (async () => {
        if (this.unanswered(client.sessionId).length >= maxPerPlayer)
          throw new CentroidError(
            "RATE_LIMITED",
            `${maxPerPlayer} requests without an answer already; wait for one before the next`,
          );
        const input = inputOf === undefined ? message : refusable(() => inputOf(client, message));
        const request = { sessionId: client.sessionId, frame: Buffer.from(frame ?? []) };
        this.#open.add(request);
        let outcome: WorkOutcome;
        try {
          outcome = await run(input);
        } finally {
          this.#open.delete(request);
        }
        // Who has left meanwhile waits for nothing.
        if (!room.clients.includes(client)) return undefined;
        // What follows is the author's code again, and the answer on its way: no move in between.
        activity.untilNextTurn();
        const output = outputOf(outcome) as Output;
        const { queueMs, workMs } = outcome;
        return done === undefined
          ? output
          : await activity.track(done(client, output, { message, queueMs, workMs }));
      })();
      if (context?.id !== undefined) return activity.carries(reply);
      // Nobody waits for an answer; the player is told of a failure all the same.
      reply.catch((cause: unknown) =>
        client.error(ErrorCode.APPLICATION_ERROR, `${type}: ${CentroidError.from(cause).message}`),
      );
      return undefined;
    });
  }

  async #run(
    { pool }: PoolLease,
    input: unknown,
    { timeoutMs, maxQueued }: typeof DEFAULTS | Required<WorkersOptions>,
  ): Promise<WorkOutcome> {
    if (this.#ended) throw new CentroidError("WORK_FAILED", "the room has ended here");
    if (this.#cancels.size >= maxQueued)
      throw new CentroidError("WORK_QUEUE_FULL", `${maxQueued} requests wait already; try again shortly`);
    const copy = copyOf(input);
    return await new Promise<WorkOutcome>((resolve) => {
      const cancel = pool.run({
        input: copy,
        timeoutMs,
        settle: (outcome) => {
          this.#cancels.delete(cancel);
          if (outcome.cpuMs > 0) this.#meter.add(outcome.cpuMs, outcome.queueMs);
          this.#reportSoon();
          if (this.#options.clock.held) this.#withheld.push(() => resolve(outcome));
          else resolve(outcome);
        },
      });
      this.#cancels.add(cancel);
    });
  }

  #reportSoon(): void {
    this.#reporting ??= setTimeout(() => {
      this.#reporting = undefined;
      const work = this.#meter.measured();
      this.onReport?.(work ?? { msPerRequest: 0, perSecond: 0, queueMs: 0 });
      if (work !== undefined) this.#reportSoon();
    }, REPORT_MS).unref();
  }

  /** The room has ended, or goes on elsewhere: nothing of it is worked on here. */
  #end(): void {
    this.#ended = true;
    clearTimeout(this.#reporting);
    this.#withheld = [];
    this.#open.clear();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    for (const lease of this.#leases) lease[Symbol.dispose]();
  }
}

/** @throws CentroidError BAD_REQUEST with what the author's code says is wrong with a message; its own codes are kept */
function refusable<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (typeof (cause as { code?: unknown } | null)?.code === "string") throw cause;
    throw new CentroidError("BAD_REQUEST", CentroidError.from(cause).message, { cause });
  }
}

/** @throws CentroidError */
function outputOf(outcome: WorkOutcome): unknown {
  if (outcome.state === "failed") throw outcome.error;
  return outcome.output;
}

/**
 * The transport takes the memory behind a message's bytes back when its handler returns, and work is done later.
 * @throws CentroidError WORK_FAILED if it holds functions or the like
 */
function copyOf<T>(value: T): T {
  try {
    return structuredClone(value);
  } catch (cause) {
    throw new CentroidError("WORK_FAILED", `this cannot go to a worker: ${String(cause)}`, { cause });
  }
}
