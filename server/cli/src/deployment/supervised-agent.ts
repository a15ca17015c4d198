/** An agent of this deployment that is started again when it ends by itself: ever later if it keeps ending. */
import type { AgentProcess } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** One that ran for so long ends for another reason than the last time. */
const STEADY_MS = 60_000;

export interface SupervisedAgentOptions {
  start: () => Promise<AgentProcess>;
  /** For a person: that it ended, and when it is tried again. */
  notice: (line: string) => void;
  /** Everything ends: an agent that ends then is not missed. */
  signal: AbortSignal | undefined;
}

export class SupervisedAgent implements AsyncDisposable {
  readonly #options: SupervisedAgentOptions;
  readonly #stop = new AbortController();
  #agent: AgentProcess;
  #starting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = FIRST_DELAY_MS;

  private constructor(agent: AgentProcess, options: SupervisedAgentOptions) {
    this.#options = options;
    this.#agent = agent;
    this.#watch(agent);
  }

  /** @throws CentroidError if it does not start the first time */
  static async start(options: SupervisedAgentOptions): Promise<SupervisedAgent> {
    return new SupervisedAgent(await options.start(), options);
  }

  get hostId(): string {
    return this.#agent.hostId;
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted || this.#options.signal?.aborted === true;
  }

  #watch(agent: AgentProcess): void {
    const startedAtMs = performance.now();
    void agent.exited.then(({ code, signal }) => {
      if (performance.now() - startedAtMs > STEADY_MS) this.#delayMs = FIRST_DELAY_MS;
      this.#again(`its agent ended (${signal ?? `code ${code}`})`);
    });
  }

  #again(why: string): void {
    if (this.#stopped) return;
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(2 * delayMs, MAX_DELAY_MS);
    this.#options.notice(`${why}; starting it again in ${delayMs / 1000} s`);
    this.#timer = setTimeout(() => {
      this.#starting = this.#restart();
    }, delayMs);
  }

  async #restart(): Promise<void> {
    if (this.#stopped) return;
    try {
      const agent = await this.#options.start();
      this.#agent = agent;
      if (this.#stop.signal.aborted) await agent[Symbol.asyncDispose]();
      else this.#watch(agent);
    } catch (cause) {
      this.#again(`its agent does not start: ${CentroidError.from(cause).message}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#agent[Symbol.asyncDispose]();
    await this.#starting;
  }
}
