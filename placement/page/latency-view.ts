/** The map of latency: hosts and the players present at a step, each tied to the room's host by its round trip. */
import { ABSENT, nodesAt, type PageData, type SimulationStage, simulatedHostId } from "@centroid/placement";
import { LINE_COLORS, rttColor } from "./colors.js";
import { svg } from "./dom.js";
import type { RoomModel } from "./model.js";

const WIDTH = 640;
const HEIGHT = 460;
const MARGIN = 26;
/** Nodes farther out than nearly all others are drawn at the edge. */
const OUTLIERS = 0.02;
const SCALE_MS = 50;

interface View {
  x: (node: number) => number;
  y: (node: number) => number;
  pixelsPerMs: number;
}

/** Draws a room at a step; the lines' hosts are ringed in their colours. */
export class LatencyView {
  readonly element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "map" });
  readonly #stage: SimulationStage;
  readonly #view: View;

  constructor({ places }: PageData, stage: SimulationStage) {
    this.#stage = stage;
    this.#view = fitted(places);
    this.element.setAttribute("aria-label", "Hosts and players; distances are round trips");
  }

  draw(model: RoomModel, step: number, shown: ReadonlySet<string>): void {
    const { x, y, pixelsPerMs } = this.#view;
    const { hosts, slices, parameters } = this.#stage;
    const slice = slices[Math.floor((step * slices.length) / parameters.steps)];
    const own = model.lines.find(({ name }) => name === "centroid") ?? model.lines[0];
    const here = own?.path[step] ?? 0;
    const hostNode = hosts[here] ?? 0;
    const parts: SVGElement[] = [scaleBar(pixelsPerMs)];
    // Where the room has been.
    const trail = own === undefined ? [] : visited(own.path, step).map((h) => hosts[h] ?? 0);
    if (trail.length > 1)
      parts.push(svg("polyline", { class: "trail", points: trail.map((n) => `${x(n)},${y(n)}`).join(" ") }));
    const nodes = [...nodesAt(model.trace, step)].filter((node) => node !== ABSENT);
    for (const node of nodes) {
      const ms = slice?.rttMs[node * slice.size + hostNode] ?? 0;
      const title = svg("title", {}, `player at ${slice?.labels[node] ?? node}: ${ms.toFixed(1)} ms`);
      parts.push(
        svg("line", {
          class: "tie",
          stroke: rttColor(ms),
          x1: x(node),
          y1: y(node),
          x2: x(hostNode),
          y2: y(hostNode),
        }),
        svg("circle", { class: "player", fill: rttColor(ms), cx: x(node), cy: y(node), r: 5 }, title),
      );
    }
    hosts.forEach((node, h) => {
      const cost = model.table.costs[step * model.table.hosts + h] ?? 0;
      const players = Math.max(1, model.table.players[step] ?? 0);
      const title = svg("title", {}, `${simulatedHostId(h)}: J ${(cost / players).toFixed(1)} ms`);
      parts.push(
        svg(
          "rect",
          { class: h === here ? "host here" : "host", x: x(node) - 4, y: y(node) - 4, width: 8, height: 8 },
          title,
        ),
      );
    });
    const rings = model.lines.filter(({ name }) => shown.has(name));
    rings.forEach(({ name, path }, i) => {
      const node = hosts[path[step] ?? 0] ?? 0;
      parts.push(
        svg("circle", { class: "ring", stroke: LINE_COLORS[name], cx: x(node), cy: y(node), r: 9 + 3.5 * i }),
      );
    });
    parts.push(
      svg("text", { class: "label", x: x(hostNode) + 10, y: y(hostNode) - 10 }, simulatedHostId(here)),
    );
    this.element.replaceChildren(...parts);
  }
}

function fitted(places: readonly number[]): View {
  const axis = (of: number, pixels: number): { low: number; high: number; pixels: number } => {
    const sorted = places.filter((_, i) => i % 2 === of).sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
    return { low: at(OUTLIERS), high: at(1 - OUTLIERS), pixels };
  };
  const across = axis(0, WIDTH - 2 * MARGIN);
  const down = axis(1, HEIGHT - 2 * MARGIN);
  const pixelsPerMs = Math.min(
    across.pixels / Math.max(1, across.high - across.low),
    down.pixels / Math.max(1, down.high - down.low),
  );
  const place = (index: number, { low, high, pixels }: typeof across): number => {
    const middle = MARGIN + pixels / 2;
    const at = middle + ((places[index] ?? 0) - (low + high) / 2) * pixelsPerMs;
    return Math.min(pixels + MARGIN + 12, Math.max(MARGIN - 12, at));
  };
  return { x: (node) => place(2 * node, across), y: (node) => place(2 * node + 1, down), pixelsPerMs };
}

function visited(path: Int32Array, step: number): number[] {
  const hosts: number[] = [];
  for (let s = 0; s <= step; s++) if (s === 0 || path[s] !== path[s - 1]) hosts.push(path[s] ?? 0);
  return hosts;
}

function scaleBar(pixelsPerMs: number): SVGElement {
  const length = SCALE_MS * pixelsPerMs;
  const y = HEIGHT - 14;
  return svg(
    "g",
    { class: "scale" },
    svg("path", { d: `M14 ${y - 4}V${y}H${14 + length}V${y - 4}` }),
    svg("text", { x: 20, y: y - 7 }, `${SCALE_MS} ms`),
  );
}
