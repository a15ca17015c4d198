/**
 * Heavy work of a room (recognition, path finding, physics far ahead) in threads beside it. On the room's own thread 50 ms
 * of work are 50 ms in which no room of the host moves.
 */

/** How a room uses its workers. */
export interface WorkersOptions {
  /** Threads that all rooms of a host with the same worker file share (default 1). The first room that asks decides. */
  threads?: number;
  /** A request that takes longer, waiting included, is answered with WORK_TIMEOUT; a hung worker is replaced (default 5000). */
  timeoutMs?: number;
  /** Requests of this room that may wait or run; more are answered with WORK_QUEUE_FULL (default 32). */
  maxQueued?: number;
  /** The same of one player, for requests that `answer` takes; more are answered with RATE_LIMITED (default 2). */
  maxPerPlayer?: number;
}

/** What the work of a room costs, in its last ten seconds. */
export interface Work {
  /** CPU time of one request in a worker. */
  msPerRequest: number;
  perSecond: number;
}

/** A request whose result is there. */
export interface WorkDone {
  /** What the player had sent. */
  message: unknown;
  /** How long it has waited for a worker, and been worked on. */
  queueMs: number;
  workMs: number;
}

/** What a room does with the requests of one type of message. Neither may keep anything for later: see {@link Workers.answer}. */
export interface WorkAnswer<Input, Output> {
  /**
   * What the worker gets; the message itself if left out. Throws what the player is to be told. Called again at the next
   * host if the room moves before the answer, so it changes nothing.
   */
  input?(client: { sessionId: string }, message: unknown): Input;
  /** The result is there: change the state, return what the player is answered. Called once, wherever the room is by then. */
  done?(client: { sessionId: string }, output: Output, request: WorkDone): unknown;
}

/** Threads with the room's worker file, from {@link workersOf}. */
export interface Workers<Input, Output> {
  /**
   * Messages of this type are work: each goes to a worker, what comes back to `done`, and what that returns to the player
   * as the answer to `room.request(type, message)`. The room moves without waiting for it: a request that has no answer yet
   * travels along and is worked on at the next host, and so it is if this host dies.
   */
  answer(type: string, answer?: WorkAnswer<Input, Output>): void;
  /**
   * Work for any other purpose. In a handler of a message the room does not move before it is through; elsewhere its
   * result reaches nobody once the room has moved.
   * @throws (rejects) with the `code` WORK_FAILED, WORK_TIMEOUT or WORK_QUEUE_FULL
   */
  run(input: Input): Promise<Output>;
  /** Lately, by this room; undefined before its first request is through. */
  readonly measured: Work | undefined;
}

/** What a room host offers to a room, under {@link HOST_WORKERS}. */
export interface HostWorkers {
  open(file: URL, options: WorkersOptions): Workers<never, unknown>;
}

/** Where a room finds its host's workers. */
export const HOST_WORKERS: unique symbol = Symbol.for("centroid.workers") as never;

/**
 * Threads that run the default export of a module: `(input, started) => output`, which may be async. What the module
 * exports as `start` is called once in each thread, before: load models there; what it returns, or resolves to, is
 * `started`. Input and output are structured clones.
 *
 * To be called in `onCreate`. The file stays where it is, outside the folder of rooms, and is not bundled:
 * `workersOf(this, new URL("../worker/detect.mjs", import.meta.url))`. Before the room moves, the threads at its next host
 * have started.
 */
export function workersOf<Input, Output>(
  room: object,
  file: URL,
  options: WorkersOptions = {},
): Workers<Input, Output> {
  const host = (room as { [HOST_WORKERS]?: HostWorkers })[HOST_WORKERS];
  if (host === undefined) throw new Error("workersOf() needs a room that runs on a Centroid host");
  return host.open(file, options) as unknown as Workers<Input, Output>;
}
