/** The signs of hosts and rooms on the canvas. */
import type { Host } from "@centroid/protocol";
import type { Palette } from "../ui/palette.js";
import { CLOUD_LIFT_PX, type PlacedRoom, toScreen, type View } from "./scene.js";

/** A square that holds a cloud and its stem. */
export const CLOUD_BOX_PX = 48;
/** Above it clouds shrink until they fit side by side. */
const ROOMY_HOSTS = 60;

/** How big a cloud is drawn, 1 = 30 px wide. */
export function cloudScale(hosts: number, k: number): number {
  if (hosts <= ROOMY_HOSTS) return 1;
  return Math.min(1, Math.max(0.32, Math.sqrt(ROOMY_HOSTS / hosts) * Math.sqrt(k)));
}

/** A cloud of 30 x 20 around the origin. */
const CLOUD = new Path2D(
  "M-8.5 8.5 A5.6 5.6 0 0 1 -9.6 -2.6 A7.6 7.6 0 0 1 3.6 -6.6 A6 6 0 0 1 10.4 -1.6 A5.2 5.2 0 0 1 9.4 8.5 Z",
);

/** The part of its box that a cloud covers: stamping a thousand small clouds must not move a thousand large boxes. */
export function inked(scale: number): { left: number; top: number; width: number; height: number } {
  const foot = CLOUD_BOX_PX / 2 + CLOUD_LIFT_PX;
  const reach = Math.ceil(13 * scale) + 1;
  const top = Math.max(0, Math.floor(foot - (CLOUD_LIFT_PX + 10) * scale) - 1);
  return {
    left: CLOUD_BOX_PX / 2 - reach,
    top,
    width: 2 * reach,
    height: Math.min(CLOUD_BOX_PX, foot + 1) - top,
  };
}

/** Draws a host's cloud into a box of its own, centred. */
export function drawHost(ctx: CanvasRenderingContext2D, host: Host, palette: Palette, scale: number): void {
  const colour = palette.state[host.state];
  ctx.translate(CLOUD_BOX_PX / 2, CLOUD_BOX_PX / 2 + CLOUD_LIFT_PX);
  ctx.scale(scale, scale);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.4;
  ctx.beginPath();
  ctx.moveTo(0, -CLOUD_LIFT_PX + 8);
  ctx.lineTo(0, -3);
  ctx.stroke();
  ctx.translate(0, -CLOUD_LIFT_PX);
  ctx.fillStyle = host.state === "active" ? colour : palette.paper;
  ctx.fill(CLOUD);
  ctx.lineWidth = 1.8;
  if (host.state === "lost") ctx.setLineDash([3, 2]);
  ctx.stroke(CLOUD);
  ctx.setLineDash([]);
  drawState(ctx, host, palette);
}

/** A word's worth of sign inside the cloud: rooms of an active host, an arrow out, a cross. */
function drawState(ctx: CanvasRenderingContext2D, host: Host, palette: Palette): void {
  const colour = palette.state[host.state];
  switch (host.state) {
    case "active":
      ctx.fillStyle = palette.paper;
      ctx.font = "700 10px Inter, sans-serif";
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(host.rooms > 99 ? "99+" : String(host.rooms), 0, 2);
      return;
    case "draining":
      ctx.strokeStyle = colour;
      ctx.stroke(new Path2D("M-4 2 H4 M1 -1 L4 2 L1 5"));
      return;
    case "lost":
      ctx.strokeStyle = colour;
      ctx.stroke(new Path2D("M-3 -1 L3 5 M3 -1 L-3 5"));
      return;
    default:
      host.state satisfies never;
  }
}

export function drawRoom(
  ctx: CanvasRenderingContext2D,
  placed: PlacedRoom,
  view: View,
  palette: Palette,
): void {
  const { x, y } = toScreen(placed, view);
  ctx.beginPath();
  ctx.arc(x, y, 5.2, 0, 2 * Math.PI);
  ctx.fillStyle = palette.room;
  ctx.fill();
  ctx.lineWidth = 1.8;
  ctx.strokeStyle = palette.paper;
  ctx.stroke();
  if (placed.room.state !== "migrating") return;
  ctx.beginPath();
  ctx.arc(x, y, 8.6, 0, 2 * Math.PI);
  ctx.strokeStyle = palette.room;
  ctx.stroke();
}
