/** Runs the real `centroid` program in a folder and state of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");

export class Cli implements AsyncDisposable {
  readonly #running: RunningCli[] = [];
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Cli> {
    return new Cli(await mkdtemp(join(tmpdir(), "centroid-cli-")));
  }

  /** The rooms of brokers started here move when a test orders it and not before: what it looks for stays where it is. */
  async roomsStay(): Promise<void> {
    const config = "export default { placement: { minDwellMs: 3_600_000 } };\n";
    await writeFile(join(this.folder, "centroid.config.ts"), config);
  }

  /**
   * @param within a command that runs another one, such as `ip netns exec NAME`
   * @param node another version of Node than the tests' own
   */
  start(
    args: string[],
    env: Record<string, string> = {},
    within: string[] = [],
    node = process.execPath,
  ): RunningCli {
    const [command = "", ...rest] = [...within, node, MAIN, ...args];
    const running = new RunningCli(
      spawn(command, rest, {
        cwd: this.folder,
        env: { ...process.env, XDG_STATE_HOME: join(this.folder, "state"), NO_COLOR: "1", ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      }),
    );
    this.#running.push(running);
    return running;
  }

  async run(
    args: string[],
    env: Record<string, string> = {},
    within: string[] = [],
    node = process.execPath,
  ): Promise<{ code: number | null; out: string; err: string }> {
    const running = this.start(args, env, within, node);
    const code = await running.exited;
    return { code, out: running.out, err: running.err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((running) => running.kill("SIGKILL")));
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class RunningCli {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #waiting = new Set<() => void>();
  out = "";
  err = "";

  constructor(child: ChildProcess) {
    this.child = child;
    const collect = (data: Buffer, to: "out" | "err"): void => {
      this[to] += data.toString();
      for (const wake of [...this.#waiting]) wake();
    };
    child.stdout?.on("data", (data: Buffer) => collect(data, "out"));
    child.stderr?.on("data", (data: Buffer) => collect(data, "err"));
    this.exited = new Promise((resolve) => child.once("close", (code) => resolve(code)));
  }

  /** The first output, past or to come, that matches. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.out);
        if (found === null) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      void this.exited.then((code) =>
        reject(new Error(`ended (${code}) without ${pattern}:\n${this.out}\n${this.err}`)),
      );
      look();
    });
  }

  /** To the whole group, as a terminal does. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    process.kill(-(this.child.pid ?? 0), signal);
    await this.exited;
  }

  /** Processes of its group that still live. */
  get left(): boolean {
    try {
      process.kill(-(this.child.pid ?? 0), 0);
      return true;
    } catch {
      return false;
    }
  }
}
