/** J over time: one line per policy, the engine's moves, the slices of the matrix, and where the map is. */
import type { PageData } from "@centroid/placement";
import { LINE_COLORS } from "./colors.js";
import { svg } from "./dom.js";
import type { Line, RoomModel } from "./model.js";

const WIDTH = 1_000;
const HEIGHT = 300;
const LEFT = 52;
const RIGHT = 14;
const TOP = 26;
const BOTTOM = 26;
const GRID_LINES = 4;
/** Beyond so much of the shown engine's largest J, others leave the chart. */
const HEADROOM = 1.5;
const STRONG = new Set(["centroid", "what-if", "oracle"]);

export class Timeline {
  readonly element = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    class: "timeline",
    "aria-label": "J over time, one line per policy",
  });
  readonly #data: PageData;
  readonly #cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
  readonly #onStep: (step: number) => void;
  #steps = 1;

  /** @param onStep is told where the pointer is */
  constructor(data: PageData, onStep: (step: number) => void) {
    this.#data = data;
    this.#onStep = onStep;
    this.element.addEventListener("pointerdown", (event) => this.#point(event));
    this.element.addEventListener("pointermove", (event) => event.buttons > 0 && this.#point(event));
  }

  draw(model: RoomModel, shown: ReadonlySet<string>): void {
    this.#steps = model.trace.steps;
    const lines = model.lines.filter(({ name }) => shown.has(name));
    const strong = lines.filter(({ name }) => STRONG.has(name));
    const peak = (of: readonly Line[]): number =>
      Math.max(0, ...of.flatMap(({ scoresMs }) => [...scoresMs].filter((ms) => !Number.isNaN(ms))));
    const highest = peak(lines);
    const top = nice(strong.length === 0 ? highest : Math.min(highest, HEADROOM * peak(strong)) || 1);
    const y = (ms: number): number => HEIGHT - BOTTOM - (Math.min(ms, top) / top) * (HEIGHT - TOP - BOTTOM);
    const parts: SVGElement[] = this.#bands();
    for (let line = 0; line <= GRID_LINES; line++) {
      const ms = (top * line) / GRID_LINES;
      parts.push(
        svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(ms), y2: y(ms) }),
        svg(
          "text",
          { class: "tick", x: LEFT - 8, y: y(ms) + 4, "text-anchor": "end" },
          `${Math.round(ms)} ms`,
        ),
      );
    }
    for (const { step, from, to, text } of model.moves) {
      const x = this.#x(step);
      parts.push(
        svg("line", { class: "move", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
        svg(
          "circle",
          { class: "move-dot", cx: x, cy: TOP, r: 5 },
          svg("title", {}, `${from} to ${to}: ${text}`),
        ),
      );
    }
    for (const { name, scoresMs } of [...lines].sort((a, b) => weight(a) - weight(b)))
      parts.push(
        svg("path", {
          class: `line${STRONG.has(name) ? " strong" : ""}${name === "oracle" ? " dashed" : ""}`,
          stroke: LINE_COLORS[name],
          d: pathOf(scoresMs, (step) => this.#x(step), y),
        }),
      );
    parts.push(
      svg(
        "text",
        { class: "tick", x: WIDTH - RIGHT, y: HEIGHT - 8, "text-anchor": "end" },
        `step ${this.#steps}`,
      ),
      this.#cursor,
    );
    this.element.replaceChildren(...parts);
  }

  at(step: number): void {
    for (const x of ["x1", "x2"]) this.#cursor.setAttribute(x, String(this.#x(step)));
  }

  #bands(): SVGElement[] {
    const { slices } = this.#data;
    if (slices.length < 2) return [];
    return slices.flatMap(({ name }, i) => {
      const from = this.#x((i * this.#steps) / slices.length);
      const until = this.#x(((i + 1) * this.#steps) / slices.length);
      const band = { x: from, y: TOP, width: until - from, height: HEIGHT - TOP - BOTTOM };
      return [
        svg("rect", { class: i % 2 === 0 ? "band" : "band odd", ...band }),
        svg("text", { class: "tick", x: from + 6, y: HEIGHT - BOTTOM - 6 }, name),
      ];
    });
  }

  #x(step: number): number {
    return LEFT + (step / Math.max(1, this.#steps - 1)) * (WIDTH - LEFT - RIGHT);
  }

  #point(event: PointerEvent): void {
    const box = this.element.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const step = Math.round(((x - LEFT) / (WIDTH - LEFT - RIGHT)) * (this.#steps - 1));
    this.#onStep(Math.min(this.#steps - 1, Math.max(0, step)));
  }
}

const weight = ({ name }: Line): number => (name === "centroid" ? 2 : STRONG.has(name) ? 1 : 0);

/** Steps where nothing changes are left out. */
function pathOf(values: Float64Array, x: (step: number) => number, y: (ms: number) => number): string {
  let d = "";
  let before = Number.NaN;
  for (let step = 0; step < values.length; step++) {
    const value = values[step] ?? Number.NaN;
    if (Number.isNaN(value)) {
      before = value;
      continue;
    }
    if (value === before && step < values.length - 1 && value === values[step + 1]) continue;
    d += `${Number.isNaN(before) ? "M" : "L"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    before = value;
  }
  return d;
}

function nice(ms: number): number {
  const power = 10 ** Math.floor(Math.log10(ms));
  return (([1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8].find((n) => n * power >= ms) ?? 10) as number) * power;
}
