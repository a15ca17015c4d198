/** The graph of `vision-distance` as one page: plain SVG, no scripts, nothing loaded. */

export interface Curve {
  client: string;
  way: "local" | "edge" | "auto";
  /** Distance to the edge and time of a picture, both ms. */
  points: readonly { x: number; y: number }[];
}

const SIZE = { width: 800, height: 460 };
const MARGIN = { left: 56, right: 150, top: 16, bottom: 44 };
const COLORS = { local: "#d9730d", edge: "#2a7de1", auto: "#2f9e62" } as const;
const WORDS = { local: "in the page", edge: "at the edge", auto: "auto" } as const;
const STEPS = 5;
/** Lines of text at the ends of curves keep so far apart. */
const LABEL_GAP = 15;

export function distancePage(curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [maxX, maxY] = [nice(Math.max(...all.map(({ x }) => x))), nice(Math.max(...all.map(({ y }) => y)))];
  const x = (value: number): number =>
    round(MARGIN.left + (value / maxX) * (SIZE.width - MARGIN.left - MARGIN.right));
  const y = (value: number): number =>
    round(SIZE.height - MARGIN.bottom - (value / maxY) * (SIZE.height - MARGIN.top - MARGIN.bottom));
  const steps = Array.from({ length: STEPS + 1 }, (_, i) => i / STEPS);
  const grid = steps
    .map(
      (share) =>
        `<line class="grid" x1="${x(0)}" x2="${x(maxX)}" y1="${y(share * maxY)}" y2="${y(share * maxY)}"/>` +
        `<text x="${x(0) - 8}" y="${y(share * maxY) + 4}" text-anchor="end">${round(share * maxY)}</text>` +
        `<text x="${x(share * maxX)}" y="${y(0) + 18}" text-anchor="middle">${round(share * maxX)}</text>`,
    )
    .join("");
  const labelAt = apart(curves.map(({ points }) => y(points.at(-1)?.y ?? 0)));
  const clients = [...new Set(curves.map(({ client }) => client))];
  const drawn = curves.map(({ client, way, points }, i) => {
    const dashed = clients.indexOf(client) > 0 ? ' stroke-dasharray="7 4"' : "";
    // Auto lies on one of the others: thinner, on top.
    const width = way === "auto" ? 1.5 : 3;
    const path = points.map((point) => `${x(point.x)},${y(point.y)}`).join(" ");
    const dots = points
      .map(
        (point) => `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="${width + 1}" fill="${COLORS[way]}"/>`,
      )
      .join("");
    return (
      `<polyline points="${path}" stroke="${COLORS[way]}" stroke-width="${width}"${dashed}/>${dots}` +
      `<text x="${x(points.at(-1)?.x ?? 0) + 10}" y="${(labelAt[i] ?? 0) + 4}" style="fill:${COLORS[way]}">${WORDS[way]}, ${client}</text>`
    );
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Centroid: recognition over distance</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 1.5rem auto; padding: 0 1rem; background: #fff; color: #16202e; }
  svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
  .grid { stroke: #16202e22; }
  polyline { fill: none; stroke-linejoin: round; }
</style>
<h1>From light to box</h1>
<p>Median time of a picture from the camera until its faces are known, over the round trip between player and edge.
The same model runs at both ends. Distances are emulated on the wire; the slow client is the same browser, throttled.</p>
<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="Time of a picture over distance">${grid}
<text x="${x(maxX / 2)}" y="${SIZE.height - 6}" text-anchor="middle">round trip to the edge, ms</text>
<text transform="rotate(-90)" x="${-y(maxY / 2)}" y="13" text-anchor="middle">from light to box, median, ms</text>
${drawn.join("\n")}</svg>
</html>
`;
}

/** The same heights, moved apart upwards where they are too near: below is the axis. */
function apart(heights: readonly number[]): number[] {
  const placed: number[] = [];
  const order = heights.map((height, i) => ({ height, i })).sort((a, b) => b.height - a.height);
  let last = Number.POSITIVE_INFINITY;
  for (const { height, i } of order) {
    last = Math.min(height, last - LABEL_GAP);
    placed[i] = last;
  }
  return placed;
}

/** The next of 1, 1.5, 2, 2.5, 3, 4, 5 times a power of ten. */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

const round = (value: number): number => Math.round(value * 10) / 10;
