/** Moves of a room as its players feel them: one table over carriers and loads, as far as this machine has the carriers. */
import { criuProblem } from "@centroid/container-carrier";
import { labProblem } from "@centroid/emulation";
import { quantileOf } from "@centroid/placement";
import { Cli } from "../support/run-cli.js";
import type { Row } from "./row.js";

/** The quick form: a few minutes for all of them. */
const RUNS = 5;
const LOADS = ["idle", "memory"] as const;
const RESIDENT_MEBIBYTES = 150;

interface Run {
  carrier: string;
  mode: string;
  load: string;
  gapMs: number;
  totalMs: number;
  bytes: number;
  lost: number;
  outcome: string;
}

export async function migrate(): Promise<Row[]> {
  await using cli = await Cli.create();
  const image = ["--image-dir", process.env.CENTROID_BENCH_IMAGE ?? `${cli.folder}/image`];
  const containers = (await labProblem("containers")) ?? (await criuProblem());
  const machines = await labProblem();
  const rows: Row[] = [];
  const measure = async (name: string, carrier: string, ...args: string[]): Promise<void> => {
    const bench = ["bench", "migrate", "--carrier", carrier, "--runs", String(RUNS), "--json"];
    const { code, out, err } = await cli.run([...bench, ...image, ...args]);
    if (code !== 0) throw new Error(`${name}: ${err}${out}`);
    const runs = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Run)
      .filter((run) => run.carrier === carrier);
    rows.push(...rowsOf(name, runs));
  };
  for (const load of LOADS) {
    await measure(`process, ${load}`, "process", "--load", load);
    if (containers === undefined) await measure(`container, ${load}`, "container", "--load", load);
    if (machines === undefined)
      await measure(
        `machine, ${load}`,
        "vm",
        "--load",
        load,
        "--mode",
        load === "idle" ? "precopy" : "hybrid",
      );
  }
  if (containers === undefined)
    await measure(
      `container, idle, ${RESIDENT_MEBIBYTES} MiB more`,
      "container",
      ...["--load", "idle", "--resident", String(RESIDENT_MEBIBYTES)],
    );
  return rows;
}

function rowsOf(group: string, runs: readonly Run[]): Row[] {
  const median = (of: (run: Run) => number): number => quantileOf(runs.map(of), 0.5);
  return [
    { group, figure: "longest silence p50", value: median(({ gapMs }) => gapMs), unit: "ms" },
    { group, figure: "longest silence max", value: Math.max(...runs.map(({ gapMs }) => gapMs)), unit: "ms" },
    { group, figure: "whole move p50", value: median(({ totalMs }) => totalMs), unit: "ms" },
    { group, figure: "moved p50", value: median(({ bytes }) => bytes) / 1e6, unit: "MB" },
    {
      group,
      figure: "frames lost, or moves that did not end there",
      value: runs.reduce((sum, { lost, outcome }) => sum + lost + (outcome === "completed" ? 0 : 1), 0),
      unit: "",
      aim: { max: 0 },
    },
  ];
}
