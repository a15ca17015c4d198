/** Draws the map on two canvases: the earth, and everything that moves. */
import type { Host } from "@centroid/protocol";
import type { Palette } from "../ui/palette.js";
import { CLOUD_BOX_PX, cloudScale, drawHost, drawRoom, inked } from "./glyphs.js";
import type { Projection } from "./projection.js";
import { type Line, type Scene, toScreen, type View } from "./scene.js";

/** The rooms and hosts to bring forward; everything else steps back. */
export interface Focus {
  readonly roomIds: ReadonlySet<string>;
  readonly hostIds: ReadonlySet<string>;
}

/** Cached paths are thrown away beyond this many: centroids wander. */
const MAX_CACHED_LINES = 4_000;
/** With more rooms than this all lines together say nothing: then only the rooms in focus have theirs. */
const MAX_ROOMS_WITH_LINES = 40;

const MAX_CACHED_CLOUDS = 500;
const PLAYER_RADIUS_PX = 2.4;

export class Painter {
  readonly #earth: CanvasRenderingContext2D;
  readonly #life: CanvasRenderingContext2D;
  readonly #projection: Projection;
  readonly #lines = new Map<string, Path2D>();
  readonly #clouds = new Map<string, HTMLCanvasElement>();
  #earthView: View | undefined;

  constructor(earth: HTMLCanvasElement, life: HTMLCanvasElement, projection: Projection) {
    this.#earth = sized(earth, projection);
    this.#life = sized(life, projection);
    this.#projection = projection;
  }

  /** Shows the earth already drawn at another zoom: blurred for a moment, but at no cost. */
  stretchEarth(view: View): void {
    const drawn = this.#earthView;
    if (!drawn) return;
    const k = view.k / drawn.k;
    this.#earth.canvas.style.transform = `translate(${view.x - drawn.x * k}px, ${view.y - drawn.y * k}px) scale(${k})`;
  }

  /** Draws the earth sharp; its coasts have tens of thousands of points. */
  drawEarth(view: View, palette: Palette): void {
    const ctx = this.#earth;
    this.#earthView = view;
    ctx.canvas.style.transform = "";
    clear(ctx);
    apply(ctx, view);
    ctx.fillStyle = palette.sea;
    ctx.fill(this.#projection.sphere);
    ctx.lineWidth = 0.6 / view.k;
    ctx.strokeStyle = palette.graticule;
    ctx.stroke(this.#projection.graticule);
    ctx.fillStyle = palette.land;
    ctx.fill(this.#projection.land);
    ctx.strokeStyle = palette.coast;
    ctx.stroke(this.#projection.land);
  }

  drawLife(scene: Scene, view: View, palette: Palette, focus: Focus | undefined): void {
    const ctx = this.#life;
    clear(ctx);
    apply(ctx, view);
    for (const line of scene.lines) {
      const drawn = scene.rooms.length <= MAX_ROOMS_WITH_LINES || focus?.roomIds.has(line.roomId);
      if (drawn) this.#drawLine(line, view, palette, focus);
    }
    ctx.setLineDash([]);
    unzoomed(ctx);
    drawPlayers(ctx, scene, view, palette, focus);
    const scale = cloudScale(scene.hosts.length, view.k);
    for (const placed of scene.hosts) {
      const { x, y } = toScreen(placed, view);
      if (x < -20 || y < -20 || x > this.#projection.width + 20 || y > this.#projection.height + 40) continue;
      ctx.globalAlpha = !focus || focus.hostIds.has(placed.host.hostId) ? 1 : 0.35;
      const cloud = this.#cloud(placed.host, palette, scale);
      const { left, top, width, height } = inked(scale);
      const ratio = cloud.width / CLOUD_BOX_PX;
      ctx.drawImage(
        cloud,
        left * ratio,
        top * ratio,
        width * ratio,
        height * ratio,
        x - CLOUD_BOX_PX / 2 + left,
        y - CLOUD_BOX_PX / 2 + top,
        width,
        height,
      );
    }
    for (const placed of scene.rooms) {
      ctx.globalAlpha = !focus || focus.roomIds.has(placed.room.roomId) ? 1 : 0.22;
      drawRoom(ctx, placed, view, palette);
    }
    ctx.globalAlpha = 1;
  }

  /** A cloud is the same for every host in the same state with as many rooms: drawn once, then stamped. */
  #cloud(host: Host, palette: Palette, scale: number): HTMLCanvasElement {
    const key = `${host.state} ${host.state === "active" ? host.rooms : ""} ${scale.toFixed(2)} ${palette.paper}`;
    const known = this.#clouds.get(key);
    if (known) return known;
    if (this.#clouds.size >= MAX_CACHED_CLOUDS) this.#clouds.clear();
    const canvas = document.createElement("canvas");
    const context = sized(canvas, { width: CLOUD_BOX_PX, height: CLOUD_BOX_PX });
    unzoomed(context);
    drawHost(context, host, palette, Number(scale.toFixed(2)));
    this.#clouds.set(key, canvas);
    return canvas;
  }

  #drawLine(line: Line, view: View, palette: Palette, focus: Focus | undefined): void {
    const ctx = this.#life;
    const focused = focus?.roomIds.has(line.roomId) ?? false;
    ctx.globalAlpha = focused ? 0.95 : focus ? 0.05 : 0.42;
    const toHost = line.grade === "host";
    ctx.strokeStyle = line.grade === "host" ? palette.room : palette.grade[line.grade];
    ctx.lineWidth = (toHost ? 1.8 : Math.min(3, 0.7 + 0.35 * Math.sqrt(line.count))) / view.k;
    // The worst links are dashed, the way to the host dotted: told apart without colour.
    const dash = toHost ? [1.5, 3.5] : line.grade === "poor" ? [6, 3] : [];
    ctx.setLineDash(dash.map((length) => length / view.k));
    ctx.stroke(this.#path(line));
  }

  #path({ from, to }: Line): Path2D {
    const key = `${from.latitude},${from.longitude},${to.latitude},${to.longitude}`;
    const known = this.#lines.get(key);
    if (known) return known;
    if (this.#lines.size >= MAX_CACHED_LINES) this.#lines.clear();
    const path = new Path2D(this.#projection.greatCircle(from, to));
    this.#lines.set(key, path);
    return path;
  }
}

/** One path per colour: thousands of dots cost as much as a few. */
function drawPlayers(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  view: View,
  palette: Palette,
  focus: Focus | undefined,
): void {
  const paths = new Map<string, { path: Path2D; colour: string; alpha: number }>();
  for (const placed of scene.players) {
    const alpha = !focus || focus.roomIds.has(placed.player.roomId) ? 1 : 0.18;
    const key = `${placed.grade}${alpha}`;
    const entry = paths.get(key) ?? { path: new Path2D(), colour: palette.grade[placed.grade], alpha };
    paths.set(key, entry);
    const { x, y } = toScreen(placed, view);
    entry.path.moveTo(x + PLAYER_RADIUS_PX, y);
    entry.path.arc(x, y, PLAYER_RADIUS_PX, 0, 2 * Math.PI);
  }
  for (const { path, colour, alpha } of paths.values()) {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour;
    ctx.fill(path);
  }
}

function sized(
  canvas: HTMLCanvasElement,
  { width, height }: { width: number; height: number },
): CanvasRenderingContext2D {
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no 2D canvas: use a current Firefox, Chrome or Safari");
  return context;
}

function unzoomed(ctx: CanvasRenderingContext2D): void {
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
}

function clear(ctx: CanvasRenderingContext2D): void {
  ctx.globalAlpha = 1;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
}

function apply(ctx: CanvasRenderingContext2D, { k, x, y }: View): void {
  const ratio = devicePixelRatio;
  ctx.setTransform(k * ratio, 0, 0, k * ratio, x * ratio, y * ratio);
}
