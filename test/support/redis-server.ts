/** One Redis program of a test's own, server or Sentinel: started, stopped for a while, killed, started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.js";

export class RedisProgram implements AsyncDisposable {
  readonly port: number;
  readonly #command: readonly string[];
  readonly #folder: string;
  #process!: ChildProcess;

  private constructor(port: number, command: readonly string[], folder: string) {
    this.port = port;
    this.#command = command;
    this.#folder = folder;
  }

  /** @param lines of its configuration, besides port, address and folder */
  static async start(program: "redis-server" | "redis-sentinel", lines: readonly string[]) {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), "centroid-redis-"));
    const file = join(folder, "redis.conf");
    const secure = lines.some((line) => line.startsWith("tls-cert-file"));
    const all = [
      ...(secure ? ["port 0", `tls-port ${port}`] : [`port ${port}`]),
      "bind 127.0.0.1",
      `dir ${folder}`,
      'save ""',
      ...lines,
    ];
    const own = program === "redis-sentinel" ? all.filter((line) => !line.startsWith("save")) : all;
    await writeFile(file, `${own.join("\n")}\n`);
    const redis = new RedisProgram(port, [program, file], folder);
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const [command = "", ...args] = this.#command;
    this.#process = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    for await (const chunk of this.#process.stdout!)
      if (/Ready to accept connections|Sentinel ID is/.test(String(chunk))) break;
    this.#process.stdout!.resume();
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(name);
  }

  /** Without a word to anybody. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
