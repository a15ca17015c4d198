/** Small plots as SVG text. */

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 48;
/** Room for half of the last label. */
const RIGHT = 20;
const BOTTOM = 24;
const TOP = 16;
const GRID_LINES = 4;

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly grid: string;
}

/** One line per series, all on the same axes from zero. */
export function lines(series: readonly { name: string; points: readonly PlotPoint[] }[]): string {
  const frame = frameOf(series.flatMap(({ points }) => points));
  const drawn = series.map(({ name, points }, i) => {
    const path = points.map(({ x, y }) => `${round(frame.x(x))},${round(frame.y(y))}`).join(" ");
    const label = `<text x="${LEFT + 8 + i * 60}" y="12">${name}</text>`;
    const key = `<rect class="s${i}" x="${LEFT - 4 + i * 60}" y="4" width="8" height="8"/>`;
    return `${key}${label}<polyline class="s${i}" points="${path}"/>`;
  });
  return svg(frame.grid + drawn.join(""));
}

/** One bar per point that is not zero. */
export function bars(points: readonly PlotPoint[]): string {
  const frame = frameOf(points);
  const width = Math.max(1, (WIDTH - LEFT) / Math.max(1, points.length) - 1);
  const drawn = points
    .filter(({ y }) => y > 0)
    .map(({ x, y }) => {
      const top = round(frame.y(y));
      const height = round(HEIGHT - BOTTOM - frame.y(y));
      return `<rect class="s0" x="${round(frame.x(x) - width / 2)}" y="${top}" width="${round(width)}" height="${height}"/>`;
    });
  return svg(frame.grid + drawn.join(""));
}

function frameOf(points: readonly PlotPoint[]): Frame {
  const maxX = Math.max(1, ...points.map(({ x }) => x));
  const maxY = niceCeiling(Math.max(1, ...points.map(({ y }) => y)));
  const x = (value: number) => LEFT + (value / maxX) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (value / maxY) * (HEIGHT - BOTTOM - TOP);
  const steps = Array.from({ length: GRID_LINES + 1 }, (_, i) => i / GRID_LINES);
  const grid = [
    ...steps.map((share) => {
      const at = round(y(share * maxY));
      return (
        `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}"/>` +
        `<text x="${LEFT - 6}" y="${at + 4}" text-anchor="end">${round(share * maxY)}</text>`
      );
    }),
    ...steps.map(
      (share) =>
        `<text x="${round(x(share * maxX))}" y="${HEIGHT - 6}" text-anchor="middle">${Math.round(share * maxX)} s</text>`,
    ),
  ].join("");
  return { x, y, grid };
}

/** The next of 1, 2, 5 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

function svg(content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${content}</svg>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
