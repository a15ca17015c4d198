/** What is where on the map: hosts, rooms and players in unzoomed pixels, with fixed offsets where they crowd. */
import type { Host, Location, Player, Room } from "@centroid/protocol";
import type { DashboardState } from "../live/world.js";
import { type Grade, gradeOf } from "../ui/palette.js";
import type { Point, Projection } from "./projection.js";

/** `dx`, `dy` are screen pixels that do not grow with the zoom. */
interface Placed extends Point {
  readonly dx: number;
  readonly dy: number;
}
export interface PlacedHost extends Placed {
  readonly kind: "host";
  readonly host: Host;
}
export interface PlacedRoom extends Placed {
  readonly kind: "room";
  readonly room: Room;
}
export interface PlacedPlayer extends Placed {
  readonly kind: "player";
  readonly player: Player;
  readonly grade: Grade;
}
export type PlacedThing = PlacedHost | PlacedRoom | PlacedPlayer;

/** Players of one room in one place share one line to the room. */
export interface Line {
  readonly roomId: string;
  readonly from: Location;
  readonly to: Location;
  readonly count: number;
  readonly grade: Grade | "host";
}

export interface Scene {
  readonly hosts: readonly PlacedHost[];
  readonly rooms: readonly PlacedRoom[];
  readonly players: readonly PlacedPlayer[];
  readonly lines: readonly Line[];
}

/** Clouds float above their city, so that players and rooms in it stay visible. */
export const CLOUD_LIFT_PX = 17;
const PLAYER_SPACING_PX = 3.1;
const ROOM_SPACING_PX = 8;

export function createScene(world: DashboardState, projection: Projection): Scene {
  const playerCrowds = new Crowds(PLAYER_SPACING_PX);
  const roomCrowds = new Crowds(ROOM_SPACING_PX);
  const hosts = [...world.hosts.values()].map<PlacedHost>((host) => ({
    kind: "host",
    host,
    ...projection.point(host),
    dx: 0,
    dy: -CLOUD_LIFT_PX,
  }));
  const rooms: PlacedRoom[] = [];
  const lines = new Map<string, { -readonly [K in keyof Line]: Line[K] }>();
  for (const room of world.rooms.values()) {
    const at = roomLocation(room, world);
    if (!at) continue;
    rooms.push({ kind: "room", room, ...projection.point(at), ...roomCrowds.next(at) });
    const host = world.hosts.get(room.hostId);
    if (host && key(host) !== key(at)) {
      lines.set(`${room.roomId}|host`, { roomId: room.roomId, from: at, to: host, count: 1, grade: "host" });
    }
  }
  const players: PlacedPlayer[] = [];
  for (const player of world.players.values()) {
    const at = player.location;
    if (!at) continue;
    const grade = gradeOf(player.latency?.p50Ms);
    players.push({ kind: "player", player, grade, ...projection.point(at), ...playerCrowds.next(at) });
    const room = world.rooms.get(player.roomId);
    const to = room && roomLocation(room, world);
    if (!to || key(to) === key(at)) continue;
    const lineKey = `${player.roomId}|${key(at)}|${grade}`;
    const line = lines.get(lineKey);
    if (line) line.count += 1;
    else lines.set(lineKey, { roomId: player.roomId, from: at, to, count: 1, grade });
  }
  return { hosts, rooms, players, lines: [...lines.values()] };
}

/** In the middle of its players, else at its host. */
function roomLocation(room: Room, world: DashboardState): Location | undefined {
  return room.centroid ?? world.hosts.get(room.hostId);
}

/** A tenth of a degree is about a city. */
function key(location: Location): string {
  return `${location.latitude.toFixed(1)},${location.longitude.toFixed(1)}`;
}

/** Spreads things in one place over a sunflower, so that each can be seen and counted. */
class Crowds {
  readonly #sizes = new Map<string, number>();
  readonly #spacingPx: number;

  constructor(spacingPx: number) {
    this.#spacingPx = spacingPx;
  }

  next(location: Location): { dx: number; dy: number } {
    const place = key(location);
    const index = this.#sizes.get(place) ?? 0;
    this.#sizes.set(place, index + 1);
    if (index === 0) return { dx: 0, dy: 0 };
    const goldenAngle = Math.PI * (3 - Math.sqrt(5));
    const radius = this.#spacingPx * Math.sqrt(index + 0.5) * 1.4;
    return { dx: radius * Math.cos(index * goldenAngle), dy: radius * Math.sin(index * goldenAngle) };
  }
}

export interface View {
  readonly k: number;
  readonly x: number;
  readonly y: number;
}

export function toScreen(placed: Placed, view: View): Point {
  return { x: placed.x * view.k + view.x + placed.dx, y: placed.y * view.k + view.y + placed.dy };
}

/** @returns what is under the pointer, small things first */
export function thingAt(scene: Scene, view: View, at: Point): PlacedThing | undefined {
  const nearest = (things: readonly PlacedThing[], reachPx: number) => {
    let best: PlacedThing | undefined;
    let bestPx = reachPx;
    for (const thing of things) {
      const { x, y } = toScreen(thing, view);
      const distance = Math.hypot(x - at.x, y - at.y);
      if (distance < bestPx) [best, bestPx] = [thing, distance];
    }
    return best;
  };
  return nearest(scene.rooms, 9) ?? nearest(scene.players, 6) ?? nearest(scene.hosts, 14);
}
