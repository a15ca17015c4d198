/**
 * A player's side of the benchmark, run inside a site's namespace: reads the guest's numbered frames over one
 * TCP connection and reports the silences. Commands on standard input: `mark`, `report`, `load <kind> <MiB>`.
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { quantile } from "@centroid/placement";

/** What a player saw since the last `mark`. */
export interface LabProbeReport {
  readonly frames: number;
  readonly bytes: number;
  /** The longest silence between two frames. */
  readonly gapMs: number;
  readonly gapP50Ms: number;
  readonly gapP99Ms: number;
  /** Frames that never came, by their numbers, since the connection opened. */
  readonly lost: number;
  readonly connected: boolean;
}

const headerBytes = 8;

class Probe {
  #pending = Buffer.alloc(0);
  #nextSequence = 0;
  #lost = 0;
  #frames = 0;
  #bytes = 0;
  #gaps: number[] = [];
  #lastAt: number | undefined;
  connected = true;

  receive(data: Buffer, nowMs: number): void {
    this.#pending = Buffer.concat([this.#pending, data]);
    this.#bytes += data.length;
    let frames = 0;
    for (;;) {
      if (this.#pending.length < headerBytes) break;
      const length = headerBytes + this.#pending.readUInt32BE(4);
      if (this.#pending.length < length) break;
      const sequence = this.#pending.readUInt32BE(0);
      this.#lost += Math.abs(sequence - this.#nextSequence);
      this.#nextSequence = sequence + 1;
      this.#pending = this.#pending.subarray(length);
      frames++;
    }
    if (frames === 0) return;
    this.#frames += frames;
    if (this.#lastAt !== undefined) this.#gaps.push(nowMs - this.#lastAt);
    this.#lastAt = nowMs;
  }

  mark(): void {
    this.#frames = 0;
    this.#bytes = 0;
    this.#gaps = [];
  }

  report(nowMs: number): LabProbeReport {
    // A silence that still lasts counts.
    const open = this.#lastAt === undefined ? 0 : nowMs - this.#lastAt;
    const sorted = [...this.#gaps, open].sort((a, b) => a - b);
    return {
      frames: this.#frames,
      bytes: this.#bytes,
      gapMs: sorted.at(-1) ?? 0,
      gapP50Ms: quantile(sorted, 0.5),
      gapP99Ms: quantile(sorted, 0.99),
      lost: this.#lost,
      connected: this.connected,
    };
  }
}

const [ip, port] = process.argv.slice(2);
const probe = new Probe();
const socket = connect(Number(port), ip);
socket.setNoDelay(true);
socket.on("connect", () => process.stdout.write("connected\n"));
socket.on("data", (data) => probe.receive(data, performance.now()));
socket.on("close", () => {
  probe.connected = false;
});
socket.on("error", (error) => process.stderr.write(`${error.message}\n`));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (line === "mark") probe.mark();
    else if (line === "report") process.stdout.write(`${JSON.stringify(probe.report(performance.now()))}\n`);
    else if (line.startsWith("load ")) socket.write(`${line}\n`);
  })
  .on("close", () => socket.destroy());
