/** The result of `centroid bench migrate` as one page that needs nothing else. */
import { migratePlot, type PlotSeries } from "./migrate-plot.js";
import type { MoveRun } from "./room-bench.js";

const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const cells = (tag: "th" | "td", values: readonly (string | number)[]): string =>
  `<tr>${values.map((value) => `<${tag}>${escaped(String(value))}</${tag}>`).join("")}</tr>`;

const FIELDS = [
  "mode",
  "load",
  "outcome",
  "totalMs",
  "gapMs",
  "gapP50",
  "gapP99",
  "bytes",
  "cpuMs",
  "iterations",
  "lost",
  "reason",
] as const satisfies readonly (keyof MoveRun)[];

/** @param series one per row, with every migration in it */
export function migrateReport(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  series: readonly PlotSeries[],
): string {
  const each = series.flatMap(({ runs }) =>
    runs.map((run) =>
      FIELDS.map((field) => {
        const value = run[field];
        return typeof value === "number" ? Math.round(value * 10) / 10 : (value ?? "");
      }),
    ),
  );
  const plot = migratePlot(series.map(({ label, runs }) => ({ label: escaped(label), runs })));
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Centroid: migrations</title>
<style>
body { font: 15px system-ui; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .25rem .75rem; text-align: right; }
th { border-bottom: 1px solid; } td { font-variant-numeric: tabular-nums; }
</style>
<h1>Migrations</h1>
<p>Medians, but for P99 and MAX; a gap is the longest silence of a move that a client saw at one push every 10 ms. CPU is that
of both hosts, broker, player and machines while a room moves, without what rooms in containers do themselves.</p>
${plot}
<table>${cells("th", head)}${rows.map((row) => cells("td", row)).join("")}</table>
<h2>Every migration</h2>
<table>${cells("th", FIELDS)}${each.map((run) => cells("td", run)).join("")}</table>
</html>
`;
}
