/** Names beside host clouds: as many as fit without touching, the busiest first. */
import { type Box, isFree } from "./boxes.js";
import type { Projection } from "./projection.js";
import { type PlacedHost, toScreen, type View } from "./scene.js";

/** More than this is a list, not a map. */
const MAX_LABELS = 60;
const LINE_HEIGHT_PX = 15;
const CHARACTER_PX = 6.6;
const CLOUD_HALF_PX = 15;

export interface HostLabel extends Box {
  readonly hostId: string;
  readonly text: string;
}

export function HostLabels({ labels, projection }: { labels: readonly HostLabel[]; projection: Projection }) {
  return (
    <svg class="labels" width={projection.width} height={projection.height} aria-hidden="true">
      {labels.map((label) => (
        <text key={label.hostId} x={label.x} y={label.y + 11} class="host-label">
          {label.text}
        </text>
      ))}
    </svg>
  );
}

/** @returns the labels that find room, and everything later labels must keep clear of */
export function layOutHosts(
  hosts: readonly PlacedHost[],
  view: View,
  projection: Projection,
): { labels: HostLabel[]; taken: Box[] } {
  const visible = hosts
    .map((placed) => ({ placed, at: toScreen(placed, view) }))
    .filter(({ at }) => at.x > 0 && at.y > 0 && at.x < projection.width && at.y < projection.height)
    // In a crowd only those with rooms have names.
    .filter(({ placed }) => hosts.length <= MAX_LABELS || placed.host.rooms > 0)
    .sort(
      (a, b) =>
        b.placed.host.rooms - a.placed.host.rooms || (a.placed.host.name < b.placed.host.name ? -1 : 1),
    )
    .slice(0, MAX_LABELS * 2);
  const taken: Box[] = visible.map(({ at }) => ({
    x: at.x - CLOUD_HALF_PX,
    y: at.y - 12,
    width: 2 * CLOUD_HALF_PX,
    height: 24,
  }));
  const labels: HostLabel[] = [];
  for (const { placed, at } of visible) {
    if (labels.length >= MAX_LABELS) break;
    const text = placed.host.name;
    const width = text.length * CHARACTER_PX;
    const places = [
      { x: at.x + CLOUD_HALF_PX, y: at.y - 6 },
      { x: at.x - CLOUD_HALF_PX - width, y: at.y - 6 },
      { x: at.x - width / 2, y: at.y - 12 - LINE_HEIGHT_PX },
    ];
    const free = places
      .map((place) => ({ ...place, width, height: LINE_HEIGHT_PX }))
      .find((box) => box.x > 2 && box.x + width < projection.width - 2 && isFree(box, taken));
    if (!free) continue;
    taken.push(free);
    labels.push({ hostId: placed.host.hostId, text, ...free });
  }
  return { labels, taken };
}
