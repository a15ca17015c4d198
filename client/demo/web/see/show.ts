/** Draws what was found: boxes and names over a picture, a pointer that follows, and where the time of a picture went. */
import type { Answer, FaceBox } from "./ends.js";

const COLORS = ["#ffd166", "#7cc4ff", "#7ee0a8", "#d9a6ff", "#ff8fa3"];
const UNKNOWN = "#e8eef7";
/** The longest time that the whole bar stands for begins with this. */
const BAR_MIN_MS = 80;

const PARTS = [
  ["capture", "capture", "--capture"],
  ["encode", "encode", "--encode"],
  ["there", "network there", "--network"],
  ["queue", "queue", "--queue"],
  ["recognise", "recognise", "--recognise"],
  ["back", "network back", "--network"],
] as const satisfies readonly (readonly [keyof Answer["parts"], string, string])[];

/** Each name has its colour. */
const colorOf = (name: string): string =>
  name === ""
    ? UNKNOWN
    : (COLORS[[...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % COLORS.length] ?? UNKNOWN);

export function drawFaces(paint: CanvasRenderingContext2D, faces: readonly FaceBox[]): void {
  const { width, height } = paint.canvas;
  paint.font = `600 ${Math.round(height / 26)}px system-ui, sans-serif`;
  paint.textBaseline = "middle";
  for (const face of faces) {
    const [x, y, w, h] = [face.x * width, face.y * height, face.width * width, face.height * height];
    paint.strokeStyle = colorOf(face.name);
    paint.lineWidth = Math.max(2, height / 200);
    paint.beginPath();
    paint.roundRect(x, y, w, h, height / 60);
    paint.stroke();
    const text = `${face.name === "" ? "a face" : face.name} ${Math.round(face.score * 100)} %`;
    const high = height / 17;
    paint.fillStyle = colorOf(face.name);
    paint.fillRect(x, Math.max(0, y - high), paint.measureText(text).width + 12, high);
    paint.fillStyle = "#0a101b";
    paint.fillText(text, x + 6, Math.max(0, y - high) + high / 2);
  }
}

/** Follows the first face; how far it lags behind is the time of the whole loop. */
export function drawPointer(paint: CanvasRenderingContext2D, { x, y, width, height }: FaceBox): void {
  const { width: w, height: h } = paint.canvas;
  const [cx, cy, r] = [(x + width / 2) * w, (y + height / 2) * h, h / 22];
  paint.strokeStyle = "#ff4d5e";
  paint.lineWidth = Math.max(2, h / 200);
  paint.beginPath();
  paint.arc(cx, cy, r, 0, 2 * Math.PI);
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ] as const) {
    paint.moveTo(cx + dx * r * 0.6, cy + dy * r * 0.6);
    paint.lineTo(cx + dx * r * 1.5, cy + dy * r * 1.5);
  }
  paint.stroke();
}

export class TimeBar {
  readonly #pieces = new Map<string, { piece: HTMLElement; text: HTMLElement }>();
  #fullMs = BAR_MIN_MS;

  constructor(into: HTMLElement) {
    const track = document.createElement("div");
    track.className = "track";
    const legend = document.createElement("div");
    legend.className = "legend";
    for (const [part, label, color] of PARTS) {
      const piece = document.createElement("i");
      piece.style.background = `var(${color})`;
      track.append(piece);
      const entry = document.createElement("span");
      const swatch = document.createElement("i");
      swatch.style.background = `var(${color})`;
      const text = document.createElement("b");
      entry.append(swatch, `${label} `, text);
      legend.append(entry);
      this.#pieces.set(part, { piece, text });
    }
    into.append(track, legend);
  }

  show({ parts, totalMs }: Answer): void {
    // Grows at once, shrinks in a second or two: lengths stay comparable from picture to picture.
    this.#fullMs = Math.max(BAR_MIN_MS, totalMs * 1.1, this.#fullMs * 0.9);
    for (const [part] of PARTS) {
      const shown = this.#pieces.get(part);
      if (shown === undefined) continue;
      shown.piece.style.width = `${(100 * parts[part]) / this.#fullMs}%`;
      shown.text.textContent = `${parts[part].toFixed(parts[part] < 10 ? 1 : 0)} ms`;
    }
  }
}

/** Lines of name and value. */
export class Figures {
  readonly #list: HTMLElement;
  readonly #values = new Map<string, HTMLElement>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  set(name: string, value: string): void {
    const known = this.#values.get(name);
    if (known !== undefined) {
      known.textContent = value;
      return;
    }
    const term = document.createElement("dt");
    term.textContent = name;
    const made = document.createElement("dd");
    made.textContent = value;
    this.#values.set(name, made);
    this.#list.append(term, made);
  }
}
