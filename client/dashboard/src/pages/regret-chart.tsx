/** Regret and threshold over time, as a chart and as a sentence. */
import type { Decision } from "@centroid/protocol";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatTime } from "../ui/format.js";
import { useTheme } from "../ui/theme.js";
import { useSize } from "../ui/use-size.js";

const HEIGHT_PX = 150;

export function RegretChart({ decisions }: { decisions: readonly Decision[] }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const { width } = useSize(box);
  const theme = useTheme().value;
  const [latest] = decisions;

  useEffect(() => {
    if (!box.current) return;
    const plot = new uPlot(options(width), dataOf(decisions), box.current);
    chart.current = plot;
    return () => plot.destroy();
  }, [width, theme]);
  useEffect(() => chart.current?.setData(dataOf(decisions)), [decisions]);

  const words = latest
    ? `Regret ${Math.round(latest.regret)} of ${Math.round(latest.threshold)} needed for a move, player-milliseconds.`
    : "";
  return (
    <figure class="chart">
      <div ref={box} role="img" aria-label={words} />
      <figcaption>
        <span class="key-regret">regret</span>
        <span class="key-threshold">threshold</span>
        <span class="muted">{words}</span>
      </figcaption>
    </figure>
  );
}

function dataOf(decisions: readonly Decision[]): uPlot.AlignedData {
  const oldestFirst = [...decisions].reverse();
  return [
    oldestFirst.map((decision) => decision.atMs / 1_000),
    oldestFirst.map((decision) => decision.regret),
    oldestFirst.map((decision) => decision.threshold),
  ];
}

function options(width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis: uPlot.Axis = {
    stroke: colour("soft"),
    grid: { stroke: colour("edge"), width: 1 },
    ticks: { show: false },
    font: "11px Inter, sans-serif",
  };
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [
      { ...axis, space: 74, values: (_plot, ticks) => ticks.map((second) => formatTime(second * 1_000)) },
      { ...axis, size: 58 },
    ],
    series: [
      {},
      { stroke: colour("room"), width: 2, fill: `${colour("room")}22`, points: { show: false } },
      { stroke: colour("soft"), width: 1.5, dash: [6, 4], points: { show: false } },
    ],
  };
}
