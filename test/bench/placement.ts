/** Placement quality on measured round trips: every ratio from the raw matrix, against the offline optimum. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readRttMatrix, simulate } from "@centroid/placement";
import { firstPlacement } from "./first-placement.js";
import type { Row } from "./row.js";

const SLICES = ["planetlab-rtt-1.csv", "planetlab-rtt-2.csv", "planetlab-rtt-3.csv"];
/** Drawn for nothing else: hosts, players, rooms and traces all come from it. */
const SEED = 20_261;

export async function placement(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const file of SLICES) {
    const path = join(import.meta.dirname, "../../data", file);
    const slice = readRttMatrix(await readFile(path, "utf8"), file);
    const { policies } = simulate([slice], {
      hosts: 24,
      rooms: 40,
      steps: 300,
      seed: SEED,
      policies: ["centroid"],
    });
    const [centroid] = policies;
    if (centroid === undefined) throw new Error("no result");
    const group = `placement, ${file}, 24 hosts`;
    rows.push(
      {
        group,
        figure: "J against the best host, mean",
        value: centroid.staticMean,
        unit: "x",
        aim: { max: 1.03 },
      },
      {
        group,
        figure: "J against the best host, p95",
        value: centroid.staticP95,
        unit: "x",
        aim: { max: 1.15 },
      },
      {
        group,
        figure: "cost against the offline optimum, mean",
        value: centroid.dynamicMean,
        unit: "x",
        aim: { max: 1.05 },
      },
      { group, figure: "cost against the offline optimum, p95", value: centroid.dynamicP95, unit: "x" },
      ...firstPlacement(group, slice, SEED),
    );
  }
  return rows;
}
