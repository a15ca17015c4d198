/** One animated arc per migration: while it runs with its phase, and for a moment after with its outcome. */
import type { Location, MigrationPhase } from "@centroid/protocol";
import type { DashboardState } from "../live/world.js";
import { formatBytes, formatMs } from "../ui/format.js";
import { type Box, isFree } from "./boxes.js";
import type { Projection } from "./projection.js";
import type { View } from "./scene.js";

/** A hand-off takes a blink; people need longer to see where it went. */
const ARC_LINGER_MS = 5_000;
const LABEL_HEIGHT_PX = 24;

export interface Arc {
  readonly migrationId: string;
  readonly roomId: string;
  readonly from: Location;
  readonly to: Location;
  readonly phase: MigrationPhase;
  readonly label: string;
  /** 1 while running, then falls to 0. */
  readonly strength: number;
}

/** The arcs to show at `nowMs`, oldest first. */
export function arcsOf(world: DashboardState, nowMs: number): Arc[] {
  const arcs: Arc[] = [];
  for (const receipt of world.receipts) {
    const sinceMs = nowMs - (receipt.startedAtMs + receipt.totalMs);
    if (sinceMs > ARC_LINGER_MS) break;
    const [from, to] = [world.hosts.get(receipt.fromHostId), world.hosts.get(receipt.toHostId)];
    if (!from || !to) continue;
    const completed = receipt.outcome === "completed";
    const freeze = receipt.freezeBeyondTickMs ?? receipt.freezeMs;
    arcs.push({
      migrationId: receipt.migrationId,
      roomId: receipt.roomId,
      from,
      to,
      phase: completed ? "completed" : "rolled-back",
      label: completed ? `moved · freeze ${formatMs(freeze?.max)}` : receipt.outcome.replace("-", " "),
      strength: Math.max(0, Math.min(1, (ARC_LINGER_MS - sinceMs) / 1_500)),
    });
  }
  for (const migration of world.migrations.values()) {
    const [from, to] = [world.hosts.get(migration.fromHostId), world.hosts.get(migration.toHostId)];
    if (!from || !to) continue;
    const bytes = migration.bytes > 0 ? ` · ${formatBytes(migration.bytes)}` : "";
    arcs.push({
      migrationId: migration.migrationId,
      roomId: migration.roomId,
      from,
      to,
      phase: migration.phase,
      label: `${migration.phase}${bytes}`,
      strength: 1,
    });
  }
  return arcs;
}

interface ArcsProps {
  readonly arcs: readonly Arc[];
  readonly projection: Projection;
  readonly view: View;
  /** Where other labels are already. */
  readonly obstacles: readonly Box[];
}

export function Arcs({ arcs, projection, view, obstacles }: ArcsProps) {
  const taken = [...obstacles];
  return (
    <svg class="arcs" width={projection.width} height={projection.height} aria-hidden="true">
      {arcs.map((arc) => {
        const path = bow(arc, projection, view);
        const text = `${arc.roomId}  ${arc.label}`;
        const box = place(path.middle, text.length * 6.3 + 20, projection, taken);
        taken.push(box);
        return (
          <g
            key={arc.migrationId}
            class={`arc arc-${arc.phase}`}
            data-room={arc.roomId}
            data-phase={arc.phase}
            opacity={arc.strength}
          >
            <path class="arc-glow" d={path.d} />
            <path class="arc-line" d={path.d} pathLength={100} />
            <path class="arc-packet" d={path.d} pathLength={100} />
            <circle class="arc-end" cx={path.to.x} cy={path.to.y} r={7} />
            <g transform={`translate(${box.x} ${box.y})`}>
              <rect class="arc-label-box" width={box.width} height={LABEL_HEIGHT_PX - 2} rx={11} />
              <text class="arc-label" x={box.width / 2} y={15} text-anchor="middle">
                <tspan class="arc-room">{arc.roomId}</tspan>
                <tspan dx="7">{arc.label}</tspan>
              </text>
            </g>
          </g>
        );
      })}
    </svg>
  );
}

/** A bow that bends towards the nearer pole, as the shortest way over a globe does. */
function bow(arc: Arc, projection: Projection, view: View) {
  const onScreen = (location: Location) => {
    const { x, y } = projection.point(location);
    return { x: x * view.k + view.x, y: y * view.k + view.y };
  };
  const [from, to] = [onScreen(arc.from), onScreen(arc.to)];
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  const south = arc.from.latitude + arc.to.latitude < -20;
  const bend = (south ? 1 : -1) * Math.min(160, 14 + distance * 0.24);
  const control = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 + bend };
  return {
    d: `M${from.x.toFixed(1)} ${from.y.toFixed(1)} Q${control.x.toFixed(1)} ${control.y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`,
    to,
    middle: { x: (from.x + to.x) / 4 + control.x / 2, y: (from.y + to.y) / 4 + control.y / 2 },
  };
}

/** The first free place for a label at or near a point: inside the map and not over another label. */
function place(
  at: { x: number; y: number },
  width: number,
  projection: Projection,
  taken: readonly Box[],
): Box {
  const clamp = (value: number, max: number) => Math.max(4, Math.min(max, value));
  const candidate = (row: number): Box => ({
    x: clamp(at.x - width / 2, projection.width - width - 4),
    y: clamp(at.y - LABEL_HEIGHT_PX / 2 + row * LABEL_HEIGHT_PX, projection.height - LABEL_HEIGHT_PX - 4),
    width,
    height: LABEL_HEIGHT_PX,
  });
  // Near the arc first, upwards before downwards.
  const rows = [0, -0.5, 0.5, -1, 1, -1.5, 1.5, -2, 2, -3, 3, -4, 4];
  return rows.map(candidate).find((box) => isFree(box, taken)) ?? candidate(0);
}
