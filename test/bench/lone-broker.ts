/** A broker in this process with a host of records in another one, so that this heap is the broker's, and what is asked of it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Broker, startBroker } from "@centroid/broker";
import { DisposalStack } from "@centroid/protocol/node";
import { CONCURRENCY, call } from "./load.js";

const TOKEN = "bench-agent-token-0123";

export class LoneBroker implements AsyncDisposable {
  readonly broker: Broker;
  /** To be told that who comes is to leave again. */
  readonly host: ChildProcess;
  readonly #agent: Agent;
  readonly #collect: () => void;
  readonly #owned: DisposalStack;

  private constructor(broker: Broker, host: ChildProcess, owned: DisposalStack) {
    this.broker = broker;
    this.host = host;
    this.#owned = owned;
    this.#agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
    owned.defer(() => this.#agent.destroy());
    setFlagsFromString("--expose-gc");
    this.#collect = runInNewContext("gc") as () => void;
  }

  static async start(): Promise<LoneBroker> {
    const owned = new DisposalStack();
    const storeDir = await mkdtemp(join(tmpdir(), "centroid-bench-"));
    owned.defer(() => rm(storeDir, { recursive: true, force: true }));
    const broker = owned.use(
      await startBroker({ port: 0, storeDir, agentToken: TOKEN, autoMove: false, limits: false }),
    );
    const host = fork(join(import.meta.dirname, "memory-agent.ts"), [broker.url, TOKEN], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    owned.defer(() => void host.kill("SIGKILL"));
    await once(host, "message");
    return new LoneBroker(broker, host, owned);
  }

  /** @param method as in the path: `create/plain`. @returns the room of the seat */
  async join(method: string, body?: object): Promise<string> {
    return (await call(this.#agent, `${this.broker.url}/matchmake/${method}`, body)).roomId;
  }

  /** What is in use here after `afterMs`, in which what is only remembered for a while goes, and a collection. */
  async usedBytes(afterMs: number): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    this.#collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}
