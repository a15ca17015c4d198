/** A Redis of a test's own: real, on a port from the system. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.js";

/** Where nothing waits for a disk. */
const MEMORY = "/dev/shm";

export class TestRedis implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #process!: ChildProcess;

  readonly #within: readonly string[];

  private constructor(port: number, folder: string, within: readonly string[]) {
    this.#within = within;
    this.#port = port;
    this.#folder = folder;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /**
   * @param within a command that runs another one, such as `ip netns exec NAME`
   * @param port any that is free if not given
   */
  static async start(within: readonly string[] = [], port?: number): Promise<TestRedis> {
    const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "centroid-redis-"));
    const redis = new TestRedis(port ?? (await freePort()), folder, within);
    await redis.#start();
    return redis;
  }

  async #start(): Promise<void> {
    const args = ["--port", String(this.#port), "--bind", "127.0.0.1", "--dir", this.#folder];
    // What it had is there again after a restart, as an operator would have it. By default it confirms what it has not
    // written yet while its disk is slow.
    const [command = "", ...rest] = [...this.#within, "redis-server", ...args];
    this.#process = spawn(
      command,
      [...rest, "--save", "", "--appendonly", "yes", "--appendfsync", "always"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    for await (const chunk of this.#process.stdout!)
      if (String(chunk).includes("Ready to accept connections")) break;
    this.#process.stdout!.resume();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async restart(): Promise<void> {
    await this.#stop();
    await this.#start();
  }

  async #stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGCONT");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
