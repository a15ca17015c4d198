/**
 * Writes that count only when replicas have them. All that come while others are on their way go together, with one
 * WAIT behind them on the same connection: what replicas confirm is what was written, whoever is the master by then.
 */
import { CentroidError } from "@centroid/protocol";
import { answered } from "./answered.js";

/** A script, with the keys and arguments it gets. */
export interface ScriptCall {
  script: string;
  keys: readonly string[];
  args: readonly string[];
}

/** A replica that takes longer to confirm is as good as none. */
const CONFIRM_TIMEOUT_MS = 300;

interface Waiting extends ScriptCall {
  resolve: (answer: unknown) => void;
  reject: (cause: unknown) => void;
}

export class GroupCommit {
  readonly #send: (commands: readonly string[][]) => Promise<readonly unknown[]>;
  readonly #replicas: number;
  #waiting: Waiting[] = [];
  #busy = false;

  /**
   * @param send commands over one connection, in one go
   * @param replicas that must have a write before it counts
   */
  constructor(send: (commands: readonly string[][]) => Promise<readonly unknown[]>, replicas: number) {
    this.#send = send;
    this.#replicas = replicas;
  }

  get idle(): boolean {
    return !this.#busy;
  }

  /** @throws CentroidError STORE_UNAVAILABLE if Redis does not answer or too few replicas confirm; it may be written then */
  run(call: ScriptCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...call, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const answers = await answered(this.#send([...batch.map(evalOf), this.#wait()]));
        const confirmed = Number(answers[batch.length]);
        if (!(confirmed >= this.#replicas)) throw unconfirmed(confirmed, this.#replicas);
        for (const [at, { resolve }] of batch.entries()) resolve(answers[at]);
      } catch (cause) {
        for (const { reject } of batch) reject(cause);
      }
    }
    this.#busy = false;
  }

  #wait(): string[] {
    return ["WAIT", String(this.#replicas), String(CONFIRM_TIMEOUT_MS)];
  }
}

const evalOf = ({ script, keys, args }: ScriptCall): string[] => [
  "EVAL",
  script,
  String(keys.length),
  ...keys,
  ...args,
];

function unconfirmed(confirmed: number, replicas: number): CentroidError {
  return new CentroidError(
    "STORE_UNAVAILABLE",
    `${confirmed} of ${replicas} replicas of Redis confirm what is written; bring one back, or set ?replicas= in --redis`,
  );
}
