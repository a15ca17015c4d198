/** `centroid bench migrate` where there is no hypervisor: the hand-off, measured for the same table. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Cli } from "../support/run-cli.js";

it("measures the hand-off, as JSON lines and as a page", async () => {
  await using cli = await Cli.create();
  const page = join(cli.folder, "moves.html");
  const args = ["bench", "migrate", "--carrier", "process", "--runs", "2", "--json", "--html", page];
  const { code, out, err } = await cli.run(args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const runs = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { gapMs: number; cpuMs: number });
  expect(runs).toHaveLength(2);
  for (const run of runs) {
    expect(run).toMatchObject({
      carrier: "process",
      mode: "handoff",
      load: "idle",
      outcome: "completed",
      lost: 0,
      iterations: 1,
    });
    expect(run.gapMs).toBeGreaterThanOrEqual(10);
    expect(run.cpuMs).toBeGreaterThanOrEqual(0);
  }
  const html = await readFile(page, "utf8");
  expect(html).toContain("<td>handoff</td>");
  for (const column of ["GAP P50", "GAP P99", "GAP MAX", "TOTAL", "MOVED", "CPU"])
    expect(html).toContain(`<th>${column}</th>`);
  expect(html).toContain("process · handoff · idle</text>");
  // Silence and whole move of each, and the key.
  expect(html.match(/<circle /g)).toHaveLength(2 * runs.length + 2);
  expect(html).not.toMatch(/https?:/);
}, 60_000);
