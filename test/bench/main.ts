/** `npm run bench [group ...]`: runs the benchmarks, prints a table, writes bench-results/latest.json. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { broker } from "./broker.js";
import { distributed } from "./distributed.js";
import { failover } from "./failover.js";
import { handoff } from "./handoff.js";
import { memory } from "./memory.js";
import { messageCpu } from "./message-cpu.js";
import { placement } from "./placement.js";
import { met, type Row } from "./row.js";

const GROUPS: Record<string, () => Promise<Row[]>> = {
  handoff,
  broker,
  failover,
  distributed,
  memory,
  "message-cpu": messageCpu,
  placement,
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in GROUPS));
if (unknown !== undefined) {
  console.error(`no benchmark "${unknown}"; there are ${Object.keys(GROUPS).join(", ")}`);
  process.exit(2);
}
const rows: Row[] = [];
for (const [name, run] of Object.entries(GROUPS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const measured = await run();
  rows.push(...measured);
  for (const row of measured) console.log(line(row));
}
const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model };
mkdirSync("bench-results", { recursive: true });
writeFileSync(
  "bench-results/latest.json",
  `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2)}\n`,
);
process.exit(0);

function line(row: Row): string {
  const aim = row.aim === undefined ? "" : "max" in row.aim ? `≤ ${row.aim.max}` : `≥ ${row.aim.min}`;
  const verdict = met(row) === undefined ? "" : met(row) ? "met" : "MISSED";
  const value = `${row.value.toLocaleString("en", { maximumFractionDigits: 2 })} ${row.unit}`;
  return `${row.group.padEnd(44)} ${row.figure.padEnd(42)} ${value.padStart(14)}  ${aim.padEnd(9)} ${verdict}`;
}
