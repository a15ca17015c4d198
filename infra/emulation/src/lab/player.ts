/** Drives a probe process that runs in a player site's namespace. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabProbeReport } from "./probe.js";

export type { LabProbeReport } from "./probe.js";

const probeProgram = fileURLToPath(new URL("./probe.js", import.meta.url));
const connectTimeoutMs = 10_000;

export class LabPlayer implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Connects from this namespace to a guest that pushes numbered frames. */
  static async connect(namespace: string, ip: string, port: number): Promise<LabPlayer> {
    const args = ["netns", "exec", namespace, process.execPath, probeProgram, ip, String(port)];
    const player = new LabPlayer(spawn("ip", args, { stdio: ["pipe", "pipe", "pipe"] }));
    const timer = setTimeout(() => player.#child.kill(), connectTimeoutMs);
    const line = await player.#line();
    clearTimeout(timer);
    if (line !== "connected") throw new Error(`no connection from ${namespace} to ${ip}:${port}`);
    return player;
  }

  async #line(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done === true ? undefined : next.value;
  }

  #send(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Starts a new measurement. */
  mark(): void {
    this.#send("mark");
  }

  setLoad(kind: string, mebibytes: number): void {
    this.#send(`load ${kind} ${mebibytes}`);
  }

  async report(): Promise<LabProbeReport> {
    this.#send("report");
    const line = await this.#line();
    if (line === undefined) throw new Error("the probe has ended");
    // Both ends are this package's own.
    return JSON.parse(line) as LabProbeReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin.end();
    this.#child.kill();
    await ended;
  }
}
