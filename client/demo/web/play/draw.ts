/** Draws one player's view of the arena: the target with the way it came, and everyone's arrow at it. */

interface Point {
  x: number;
  y: number;
}
interface View {
  target?: Point;
  players?: { forEach(each: (player: Point & { name: string }, id: string) => void): void };
}
export interface Flash extends Point {
  hit: boolean;
  atMs: number;
}

const FLASH_MS = 600;
const TRAIL_POINTS = 26;
const TARGET_RADIUS = 12;
const INK = "#e8eef7";
const DIM = "#9fb0c7";
const GRID = "#24324a";
const TARGET = "#ff6b6b";
/** By the order in which they came, the same in every window. */
const PLAYERS = ["#ffd166", "#7cc4ff", "#7ee0a8", "#d9a6ff"];
/** Where players stand, seen from the middle: the first two left and right below it. */
const STATIONS_RAD = [0.78 * Math.PI, 0.22 * Math.PI, 1.22 * Math.PI, 1.78 * Math.PI];

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #radius: number;
  readonly #trail: Point[] = [];
  #last: Point = { x: 0, y: 0 };

  /** @param radius of the field, in its own units */
  constructor(canvas: HTMLCanvasElement, radius: number) {
    this.#canvas = canvas;
    this.#radius = radius;
  }

  /** Takes away the flashes that have faded. */
  draw(view: View | undefined, own: string, flashes: Flash[]): void {
    const context = this.#prepared();
    if (context === undefined) return;
    const { context: paint, pixel } = context;
    paint.strokeStyle = GRID;
    paint.lineWidth = pixel;
    for (const share of [0.25, 0.5, 0.75, 1]) ring(paint, 0, 0, share * this.#radius);
    if (view?.target !== undefined) this.#target(paint, view.target);
    let index = 0;
    view?.players?.forEach((player, id) => {
      const angle = STATIONS_RAD[index % STATIONS_RAD.length] ?? 0;
      const from = {
        x: Math.cos(angle) * this.#radius * 1.04,
        y: Math.sin(angle) * this.#radius * 1.04,
      };
      paint.strokeStyle = paint.fillStyle = PLAYERS[index % PLAYERS.length] ?? INK;
      paint.globalAlpha = id === own ? 1 : 0.55;
      arrow(paint, from, player, (id === own ? 3 : 2) * pixel, pixel);
      paint.font = `${id === own ? 600 : 400} ${13 * pixel}px system-ui, sans-serif`;
      paint.textAlign = "center";
      paint.fillText(id === own ? `${player.name} (you)` : player.name, from.x, from.y + 20 * pixel);
      paint.globalAlpha = 1;
      index++;
    });
    this.#flashes(paint, flashes, pixel);
  }

  /** Scaled to the field, its middle at 0, 0; `pixel` is one on the screen. */
  #prepared(): { context: CanvasRenderingContext2D; pixel: number } | undefined {
    const canvas = this.#canvas;
    const { clientWidth: width, clientHeight: height } = canvas;
    const [w, h] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    const context = canvas.getContext("2d");
    if (context === null) return undefined;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.translate(width / 2, height / 2);
    const scale = Math.min(width, height) / (2.3 * this.#radius);
    context.scale(scale, scale);
    return { context, pixel: 1 / scale };
  }

  #target(paint: CanvasRenderingContext2D, { x, y }: Point): void {
    if (x !== this.#last.x || y !== this.#last.y) this.#trail.push({ x, y });
    this.#last = { x, y };
    while (this.#trail.length > TRAIL_POINTS) this.#trail.shift();
    paint.fillStyle = TARGET;
    this.#trail.forEach((point, age) => {
      paint.globalAlpha = 0.25 * (age / TRAIL_POINTS) ** 2;
      disc(paint, point.x, point.y, TARGET_RADIUS * (0.4 + (0.5 * age) / TRAIL_POINTS));
    });
    paint.globalAlpha = 0.22;
    disc(paint, x, y, TARGET_RADIUS * 1.6);
    paint.globalAlpha = 1;
    for (const [share, color] of [
      [1, TARGET],
      [0.66, INK],
      [0.33, TARGET],
    ] as const) {
      paint.fillStyle = color;
      disc(paint, x, y, TARGET_RADIUS * share);
    }
  }

  #flashes(paint: CanvasRenderingContext2D, flashes: Flash[], pixel: number): void {
    const now = performance.now();
    while (flashes[0] !== undefined && now - flashes[0].atMs > FLASH_MS) flashes.shift();
    for (const { x, y, hit, atMs } of flashes) {
      const age = (now - atMs) / FLASH_MS;
      paint.globalAlpha = 1 - age;
      paint.lineWidth = (hit ? 3 : 1.5) * pixel;
      paint.strokeStyle = hit ? INK : DIM;
      ring(paint, x, y, 3 + (hit ? 22 : 9) * age);
    }
    paint.globalAlpha = 1;
  }
}

function ring(paint: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  paint.beginPath();
  paint.arc(x, y, r, 0, 2 * Math.PI);
  paint.stroke();
}

function disc(paint: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  paint.beginPath();
  paint.arc(x, y, r, 0, 2 * Math.PI);
  paint.fill();
}

function arrow(
  paint: CanvasRenderingContext2D,
  from: Point,
  to: Point,
  thickness: number,
  pixel: number,
): void {
  const angle = Math.atan2(to.y - from.y, to.x - from.x);
  const size = 13 * pixel;
  disc(paint, from.x, from.y, 5 * pixel);
  paint.lineWidth = thickness;
  paint.beginPath();
  paint.moveTo(from.x, from.y);
  paint.lineTo(to.x - size * 0.8 * Math.cos(angle), to.y - size * 0.8 * Math.sin(angle));
  paint.stroke();
  paint.beginPath();
  paint.moveTo(to.x, to.y);
  for (const side of [-0.42, 0.42])
    paint.lineTo(to.x - size * Math.cos(angle + side), to.y - size * Math.sin(angle + side));
  paint.closePath();
  paint.fill();
}
