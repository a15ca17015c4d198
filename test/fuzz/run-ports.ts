/** Attacks every port with drawn connections, several at a time, and asks after each few whether its process lives. */
import { Draw } from "../support/draw.js";
import { attack } from "./hostile.js";
import { openPorts } from "./ports.js";
import { type Failure, seedOf } from "./run.js";

const AT_ONCE = 8;

export interface PortsReport {
  readonly ports: readonly { name: string; inputs: number }[];
  readonly failures: readonly Failure[];
}

/** @param inputs connections to each port */
export async function fuzzPorts(seed: number, inputs: number): Promise<PortsReport> {
  await using opened = await openPorts();
  const failures: Failure[] = [];
  const reports = opened.ports.map(({ name }) => ({ name, inputs: 0 }));
  const dead = new Set<string>();
  for (let at = 0; at < inputs; at += AT_ONCE) {
    for (const [index, port] of opened.ports.entries()) {
      const report = reports[index];
      if (report === undefined || dead.has(port.name)) continue;
      const seeds = Array.from({ length: AT_ONCE }, (_, more) => seedOf(seed, at + more));
      await Promise.all(seeds.map((own) => attack(port, new Draw(own)).catch(() => undefined)));
      report.inputs += AT_ONCE;
      if (await port.alive()) continue;
      dead.add(port.name);
      failures.push({
        name: port.name,
        seed: seeds[0] ?? seed,
        problem: `no answer after seeds ${seeds.join(", ")}`,
      });
    }
  }
  // What was sent to one may have ended another.
  for (const port of opened.ports)
    if (!dead.has(port.name) && !(await port.alive()))
      failures.push({ name: port.name, seed, problem: "does not answer at the end" });
  for (const line of opened.surprises()) failures.push({ name: "broker or gateway", seed, problem: line });
  return { ports: reports, failures };
}
