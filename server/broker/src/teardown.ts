/** Runs what was deferred, last first; one failure does not keep the others from running. */

type Step = () => void | PromiseLike<void>;

export class Teardown implements AsyncDisposable {
  readonly #steps: Step[] = [];
  #done: Promise<void> | undefined;

  defer(step: Step): void {
    this.#steps.push(step);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  /** @throws AggregateError of what failed */
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
