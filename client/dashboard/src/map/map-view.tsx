/** The world map: earth and life on canvases, names and arcs above them, everything else in the tables beside it. */
import type { Location, Player } from "@centroid/protocol";
import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { readPalette } from "../ui/palette.js";
import { REACHABLE_BY_KEYS } from "../ui/reachable.js";
import { hostLink, type Route, roomLink, useRoute } from "../ui/route.js";
import { useTheme } from "../ui/theme.js";
import { useSize } from "../ui/use-size.js";
import { Arcs } from "./arcs.js";
import { HostLabels, layOutHosts } from "./labels.js";
import { Legend } from "./legend.js";
import { MapButtons } from "./map-buttons.js";
import { type Focus, Painter } from "./painter.js";
import { createProjection, type Point } from "./projection.js";
import { createScene, type PlacedPlayer, type PlacedThing, thingAt, type View } from "./scene.js";
import { Tooltip } from "./tooltip.js";
import { useArcs } from "./use-arcs.js";
import { useZoom } from "./use-zoom.js";

interface MapViewProps {
  /** A player of the shown room was dropped somewhere else: ask what would happen. */
  readonly onWhatIf?: (player: Player, location: Location) => void;
}

/** A press that moves less is a click. */
const CLICK_SLOP_PX = 4;

/** The earth is drawn sharp again when a zoom has rested this long. */
const SETTLE_MS = 140;

export function MapView({ onWhatIf }: MapViewProps) {
  const store = useStore();
  const route = useRoute();
  const theme = useTheme();
  const frame = useRef<HTMLDivElement>(null);
  const earth = useRef<HTMLCanvasElement>(null);
  const life = useRef<HTMLCanvasElement>(null);
  const hovered = useSignal<PlacedThing | undefined>(undefined);
  const dragged = useSignal<{ player: PlacedPlayer; at: Point } | undefined>(undefined);
  const pressedAt = useRef<Point | undefined>(undefined);

  const size = useSize(frame);
  const projection = useMemo(() => createProjection(size.width, size.height), [size.width, size.height]);
  const scene = useMemo(() => createScene(store.world.value, projection), [store.world.value, projection]);
  const palette = useMemo(() => readPalette(document.documentElement), [theme.value]);
  const painter = useRef<Painter | undefined>(undefined);

  const at = (event: { clientX: number; clientY: number }): Point => {
    const box = frame.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  const draggable = (event: PointerEvent): PlacedPlayer | undefined => {
    if (route.page !== "room" || !onWhatIf) return undefined;
    const thing = thingAt({ ...scene, rooms: [], hosts: [] }, zoom.view, at(event));
    return thing?.kind === "player" && thing.player.roomId === route.roomId ? thing : undefined;
  };
  // A press on a player that can be dragged is seen here first, and must not pan the map.
  const zoom = useZoom(frame, () => !dragged.value);
  const { view } = zoom;
  const arcs = useArcs(store);
  const names = useMemo(() => layOutHosts(scene.hosts, view, projection), [scene.hosts, view, projection]);
  const focus = useMemo(
    () => focusOf(route, hovered.value, store.world.value),
    [route, hovered.value, store.world.value],
  );
  const summary = useComputed(() => describe(store.world.value));

  useLayoutEffect(() => {
    if (earth.current && life.current) painter.current = new Painter(earth.current, life.current, projection);
  }, [projection]);
  useLayoutEffect(() => painter.current?.drawEarth(view, palette), [projection, palette]);
  useLayoutEffect(() => {
    painter.current?.stretchEarth(view);
    const settled = setTimeout(() => painter.current?.drawEarth(view, palette), SETTLE_MS);
    return () => clearTimeout(settled);
  }, [view]);
  useLayoutEffect(() => {
    painter.current?.drawLife(scene, view, palette, focus);
  }, [scene, view, palette, focus]);

  const onPointerDown = (event: PointerEvent) => {
    pressedAt.current = at(event);
    const player = draggable(event);
    if (!player) return;
    dragged.value = { player, at: at(event) };
    frame.current?.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent) => {
    if (dragged.value) dragged.value = { ...dragged.value, at: at(event) };
    else hovered.value = event.target === life.current ? thingAt(scene, view, at(event)) : undefined;
  };
  const onPointerUp = (event: PointerEvent) => {
    const [from, to] = [pressedAt.current, at(event)];
    const drag = dragged.value;
    dragged.value = undefined;
    hovered.value = undefined;
    const clicked = from !== undefined && Math.hypot(to.x - from.x, to.y - from.y) < CLICK_SLOP_PX;
    if (drag && !clicked) {
      const location = projection.location({ x: (to.x - view.x) / view.k, y: (to.y - view.y) / view.k });
      if (location) onWhatIf?.(drag.player.player, location);
      return;
    }
    const thing = clicked && (drag || event.target === life.current) ? thingAt(scene, view, to) : undefined;
    if (thing) location.hash = linkOf(thing);
  };

  return (
    <section class="map" aria-label="World map">
      <div
        class={`map-frame ${hovered.value ? "over-thing" : ""} ${dragged.value ? "dragging" : ""}`}
        ref={frame}
        role="application"
        aria-roledescription="map"
        aria-label={`${summary.value} Arrow keys move the map, plus and minus zoom, 0 shows the whole world.`}
        {...REACHABLE_BY_KEYS}
        onKeyDown={(event) => zoom.onKey(event.key) && event.preventDefault()}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerLeave={() => {
          hovered.value = undefined;
        }}
      >
        <canvas ref={earth} class="layer" />
        <canvas ref={life} class="layer" />
        <HostLabels labels={names.labels} projection={projection} />
        <Arcs arcs={arcs} projection={projection} view={view} obstacles={names.taken} />
        {hovered.value && !dragged.value && (
          <Tooltip thing={hovered.value} world={store.world.value} view={view} width={size.width} />
        )}
        {dragged.value && <DragLine drag={dragged.value} view={view} />}
      </div>
      <MapButtons zoom={zoom} />
      <Legend />
    </section>
  );
}

function DragLine({ drag, view }: { drag: { player: PlacedPlayer; at: Point }; view: View }) {
  const from = { x: drag.player.x * view.k + view.x, y: drag.player.y * view.k + view.y };
  return (
    <svg class="drag" aria-hidden="true">
      <line x1={from.x} y1={from.y} x2={drag.at.x} y2={drag.at.y} />
      <circle cx={drag.at.x} cy={drag.at.y} r={6} />
    </svg>
  );
}

function linkOf(thing: PlacedThing): string {
  switch (thing.kind) {
    case "host":
      return hostLink(thing.host.hostId);
    case "room":
      return roomLink(thing.room.roomId);
    case "player":
      return roomLink(thing.player.roomId);
    default:
      return thing satisfies never;
  }
}

/** The pointer decides; else the page that is open. */
function focusOf(route: Route, hovered: PlacedThing | undefined, world: DashboardState): Focus | undefined {
  if (hovered?.kind === "room") return focusOnRoom(hovered.room.roomId, world);
  if (hovered?.kind === "player") return focusOnRoom(hovered.player.roomId, world);
  if (hovered?.kind === "host") return focusOnHost(hovered.host.hostId, world);
  if (route.page === "room") return focusOnRoom(route.roomId, world);
  if (route.page === "host") return focusOnHost(route.hostId, world);
  return undefined;
}

function focusOnRoom(roomId: string, world: DashboardState): Focus | undefined {
  const room = world.rooms.get(roomId);
  return room && { roomIds: new Set([roomId]), hostIds: new Set([room.hostId]) };
}

function focusOnHost(hostId: string, world: DashboardState): Focus {
  const rooms = [...world.rooms.values()].filter((room) => room.hostId === hostId);
  return { roomIds: new Set(rooms.map((room) => room.roomId)), hostIds: new Set([hostId]) };
}

function describe(world: DashboardState): string {
  if (world.atMs === 0) return "World map, waiting for the broker.";
  return `World map with ${world.hosts.size} hosts, ${world.rooms.size} rooms and ${world.players.size} players.`;
}
