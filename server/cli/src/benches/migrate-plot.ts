/** All moves of `centroid bench migrate` in one picture: a row per series, silences and whole moves on one scale of time. */
import { quantileOf } from "@centroid/placement";
import type { MoveRun } from "./room-bench.js";

export interface PlotSeries {
  readonly label: string;
  readonly runs: readonly MoveRun[];
}

const WIDTH = 900;
const LEFT = 300;
const RIGHT = 20;
const ROW = 26;
const TOP = 40;
const BOTTOM = 30;
/** Decades of milliseconds: from a frame to half a minute. */
const LEAST_MS = 10;
const MOST_MS = 30_000;
const GRID_MS = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];

/** Filled: the longest silence of each move; hollow: how long it took as a whole; bars: medians. */
export function migratePlot(series: readonly PlotSeries[]): string {
  const height = TOP + series.length * ROW + BOTTOM;
  const grid = GRID_MS.map((ms) => {
    const at = round(xOf(ms));
    const label = ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
    return (
      `<line class="grid" x1="${at}" x2="${at}" y1="${TOP}" y2="${height - BOTTOM}"/>` +
      `<text x="${at}" y="${height - BOTTOM + 18}" text-anchor="middle">${label}</text>`
    );
  });
  const rows = series.map(({ label, runs }, index) => {
    const y = TOP + (index + 0.5) * ROW;
    const silences = runs.map(({ gapMs }) => gapMs);
    const totals = runs.map(({ totalMs }) => totalMs);
    return (
      `<text x="${LEFT - 12}" y="${y + 5}" text-anchor="end">${label}</text>` +
      totals.map((ms) => dot("total", ms, y)).join("") +
      silences.map((ms) => dot("silence", ms, y)).join("") +
      median("total", totals, y) +
      median("silence", silences, y)
    );
  });
  const key =
    `${circle("silence", LEFT, 16)}<text x="${LEFT + 10}" y="21">longest silence of a player</text>` +
    `${circle("total", LEFT + 240, 16)}<text x="${LEFT + 250}" y="21">whole move</text>`;
  const style =
    "svg{font:13px system-ui;fill:currentColor}.grid{stroke:currentColor;opacity:.15}" +
    ".silence{fill:#d9480f;stroke:#d9480f}.total{fill:none;stroke:#1c7ed6}circle{opacity:.7}rect{stroke-width:0}" +
    "rect.total{fill:#1c7ed6}";
  const content = grid.join("") + rows.join("") + key;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img"><style>${style}</style>${content}</svg>`;
}

function xOf(ms: number): number {
  const within = Math.min(MOST_MS, Math.max(LEAST_MS, ms));
  const share = Math.log(within / LEAST_MS) / Math.log(MOST_MS / LEAST_MS);
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

const dot = (kind: string, ms: number, y: number): string => circle(kind, xOf(ms), y);

const circle = (kind: string, x: number, y: number): string =>
  `<circle class="${kind}" cx="${round(x)}" cy="${y}" r="4"/>`;

function median(kind: string, values: readonly number[], y: number): string {
  const x = round(xOf(quantileOf(values, 0.5)) - 1);
  return `<rect class="${kind}" x="${x}" y="${y - ROW / 2 + 3}" width="2" height="${ROW - 6}"/>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
