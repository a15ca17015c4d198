/** Ends things in reverse order, as the standard's AsyncDisposableStack does; Node has that only from 24 on. */

type DisposalStep = () => void | PromiseLike<void>;

export class DisposalStack implements AsyncDisposable {
  readonly #steps: DisposalStep[] = [];
  #done: Promise<void> | undefined;

  /** Disposes this resource with the stack. @returns the resource */
  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  /** Runs this step with the stack. */
  defer(step: DisposalStep): void {
    this.#steps.push(step);
  }

  /**
   * Runs every step once, last first; one failure does not keep the others from running.
   * @throws AggregateError of what failed
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (cause) {
        failures.push(cause);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "not everything could be closed");
  }
}
