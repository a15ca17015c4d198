/** The report as one self-contained page: figures and plots (inline SVG), no scripts, nothing loaded. */
import type { BotReport } from "./report.js";
import { bars, lines } from "./svg-plot.js";

/** @returns a complete HTML document */
export function renderHtmlReport(report: BotReport): string {
  const { seconds } = report;
  const series = (of: (second: BotReport["seconds"][number]) => number | undefined) =>
    seconds.flatMap((second) => {
      const y = of(second);
      return y === undefined ? [] : [{ x: second.atMs / 1000, y }];
    });
  const plots = [
    plot(
      "Round trip, ms",
      lines([
        { name: "p50", points: series((s) => s.rttP50Ms) },
        { name: "p95", points: series((s) => s.rttP95Ms) },
      ]),
    ),
    plot("Players in a room", lines([{ name: "playing", points: series((s) => s.playing) }])),
    plot("Migrations per second", bars(series((s) => s.migrations))),
    plot("Longest freeze in each second, ms", bars(series((s) => s.freezeMaxMs))),
  ];
  const emulated = report.emulated
    ? "Distances are emulated on the wire, from measured round trips between real places."
    : "Distances are those of the network as it is.";
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Centroid bots: ${escapeHtml(report.scenario)}</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 25%, transparent); }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; }
  td, th { padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left; }
  td { font-variant-numeric: tabular-nums; }
  svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
  svg text { fill: currentColor; }
  .grid { stroke: var(--line); }
  .s0 { stroke: #2a7de1; fill: #2a7de1; } .s1 { stroke: #d9730d; fill: #d9730d; }
  polyline { fill: none !important; stroke-width: 1.5; }
</style>
<h1>${escapeHtml(report.scenario)}: ${report.players} players, ${report.rooms} rooms, ${seconds.length} s</h1>
<p>Room type ${escapeHtml(report.roomType)}, seed ${report.seed}. ${emulated}</p>
<table>${reportRows(report)
    .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join("")}</table>
${plots.join("\n")}
</html>
`;
}

/** The figures of a report, named, for tables of any kind. */
export function reportRows(report: BotReport): [name: string, value: string][] {
  const { joins, rtt, freeze, messages, errors } = report;
  const ms = (value: number | undefined) => (value === undefined ? "-" : `${value.toFixed(1)} ms`);
  const failures = Object.entries(errors).map(([code, count]) => `${code} ${count}`);
  return [
    ["joins", `${joins.ok} ok, ${joins.failed} failed, p50 ${ms(joins.p50Ms)}, p99 ${ms(joins.p99Ms)}`],
    ["round trip", `p50 ${ms(rtt.p50Ms)}, p95 ${ms(rtt.p95Ms)} (${rtt.samples} samples)`],
    ["migrations", `${report.migrations}`],
    [
      "freeze beyond the tick",
      `p50 ${ms(freeze.p50Ms)}, p99 ${ms(freeze.p99Ms)}, max ${ms(freeze.maxMs)} (${freeze.samples} samples)`,
    ],
    ["messages sent", `${messages.sent}`],
    ["messages received", `${messages.received}, and ${messages.updates} state updates`],
    ["lost", `${messages.lost}`],
    ["duplicated", `${messages.duplicated}`],
    ["reordered", `${messages.reordered}`],
    ["corrupted", `${messages.corrupted}`],
    ["errors", failures.length === 0 ? "none" : failures.join(", ")],
  ];
}

function plot(title: string, svg: string): string {
  return `<h2>${escapeHtml(title)}</h2>\n${svg}`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
