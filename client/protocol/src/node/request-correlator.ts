/** Questions put to a room host, over whatever channel, until each is answered, late, or the room host has gone. */
import { CentroidError, type WireError } from "../errors.js";

interface Pending {
  resolve: (result: unknown) => void;
  reject: (error: CentroidError) => void;
  timer: NodeJS.Timeout | undefined;
}

interface Reply {
  requestId: number;
  result?: unknown;
  error?: WireError | undefined;
}

export class PendingReplies {
  readonly #pending = new Map<number, Pending>();
  #nextRequestId: number;

  constructor(firstRequestId = 1) {
    this.#nextRequestId = firstRequestId;
  }

  /**
   * @param put sends the question under this id; tells by `failed` if it could not
   * @param late the error if no answer has come within `ms`; waits for ever if not given
   * @throws CentroidError as answered
   */
  ask(
    put: (requestId: number, failed: (error: CentroidError) => void) => void,
    late: { ms: number; error: () => CentroidError } | undefined,
  ): Promise<unknown> {
    const requestId = this.#nextRequestId++;
    return new Promise((resolve, reject) => {
      const timer =
        late &&
        setTimeout(() => {
          this.#pending.delete(requestId);
          reject(late.error());
        }, late.ms);
      this.#pending.set(requestId, { resolve, reject, timer });
      put(requestId, (error) => this.#take(requestId)?.reject(error));
    });
  }

  /** A late or unknown reply is ignored. */
  reply({ requestId, result, error }: Reply): void {
    const waiting = this.#take(requestId);
    if (error !== undefined) waiting?.reject(CentroidError.fromWire(error));
    else waiting?.resolve(result);
  }

  /** Nobody will answer any more. */
  fail(error: CentroidError): void {
    for (const requestId of [...this.#pending.keys()]) this.#take(requestId)?.reject(error);
  }

  #take(requestId: number): Pending | undefined {
    const waiting = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    clearTimeout(waiting?.timer);
    return waiting;
  }
}
