/**
 * `npm run bench -- [group ...] [--players 100,500] [--runs 5] [--seconds 30]`: runs the benchmarks, prints a table and nothing else on stdout, writes
 * `bench-results/latest.json`. `--list` names the groups. Each group is a process of its own, so that what its players
 * and hosts say while hosts are killed under them goes to `bench-results/GROUP.log`, and one does not slow the next.
 */
import { fork } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BenchOptions, GROUPS, type GroupName } from "./groups.js";
import { met, type Row } from "./row.js";

const RESULTS = "bench-results";
const RUN_GROUP = join(import.meta.dirname, "run-group.ts");
const NAMES = Object.keys(GROUPS) as GroupName[];
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  if (args.includes("--list")) {
    for (const name of NAMES) console.log(`${name.padEnd(16)} ${GROUPS[name].about}`);
    return 0;
  }
  const { positionals: asked, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { players: { type: "string" }, runs: { type: "string" }, seconds: { type: "string" } },
  });
  const options: BenchOptions = {
    ...(values.players !== undefined && { players: values.players.split(",").map(Number) }),
    ...(values.runs !== undefined && { runs: Number(values.runs) }),
    ...(values.seconds !== undefined && { seconds: Number(values.seconds) }),
  };
  const unknown = asked.find((name) => !(name in GROUPS));
  if (unknown !== undefined) {
    console.error(`no benchmark "${unknown}"; there are ${NAMES.join(", ")}`);
    return EXIT_USAGE;
  }
  mkdirSync(RESULTS, { recursive: true });
  const wanted = NAMES.filter((name) => asked.length === 0 || asked.includes(name));
  const rows: Row[] = [];
  const failed: GroupName[] = [];
  for (const [at, name] of wanted.entries()) {
    const step = `${at + 1}/${wanted.length} ${name}`;
    process.stderr.write(`${step}: ${GROUPS[name].about}\n`);
    const startedAtMs = performance.now();
    const measured = await runGroup(name, options);
    const tookS = ((performance.now() - startedAtMs) / 1000).toFixed(0);
    if (measured === undefined) {
      failed.push(name);
      process.stderr.write(`${step}: failed after ${tookS} s; ${RESULTS}/${name}.log says why\n`);
      continue;
    }
    process.stderr.write(`${step}: done in ${tookS} s\n`);
    rows.push(...measured);
    for (const row of measured) console.log(line(row));
  }
  const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model };
  const all = { at: new Date().toISOString(), machine, rows };
  writeFileSync(join(RESULTS, "latest.json"), `${JSON.stringify(all, null, 2)}\n`);
  return failed.length === 0 ? 0 : EXIT_FAILED;
}

/** Undefined if it failed. */
async function runGroup(name: GroupName, options: BenchOptions): Promise<Row[] | undefined> {
  const log = openSync(join(RESULTS, `${name}.log`), "w");
  try {
    const child = fork(RUN_GROUP, [name, JSON.stringify(options)], { stdio: ["ignore", log, log, "ipc"] });
    return await new Promise((resolve) => {
      let rows: Row[] | undefined;
      child.once("message", (message) => {
        rows = message as Row[];
      });
      child.once("error", () => resolve(undefined));
      child.once("exit", (code) => resolve(code === 0 ? rows : undefined));
    });
  } finally {
    closeSync(log);
  }
}

function rounded(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

function line(row: Row): string {
  const aim = row.aim === undefined ? "" : "max" in row.aim ? `≤ ${row.aim.max}` : `≥ ${row.aim.min}`;
  const verdict = met(row) === undefined ? "" : met(row) ? "met" : "MISSED";
  const { between } = row;
  const spread = between === undefined ? "" : ` (${rounded(between.min)}–${rounded(between.max)})`;
  const value = `${rounded(row.value)}${spread} ${row.unit}`;
  return `${row.group.padEnd(44)} ${row.figure.padEnd(42)} ${value.padStart(14)}  ${aim.padEnd(9)} ${verdict}`;
}
