/**
 * Who moves where when rooms need a host that others are on: rooms of a host that drains or is lost, rooms whose best
 * host is full. One assignment over the rooms in question and those that may make way for them, within budgets.
 */
import { atHost } from "../decide/explain.js";
import type { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import type { PlacementParameters, RoomView } from "../decide/types.js";
import { assignFleet, type FleetHost } from "./assign.js";
import { type FleetBudget, linkMovesLeft, movesLeft } from "./budget.js";
import { type Prospects, prospectsOf } from "./prospects.js";

/** Rooms of one plan; the rest have their turn in the next. */
const MOST_PRESSED = 64;
const MOST_ROOMS = 192;
/** Of a full host so many are asked to make way, those with the fewest players: they lose least. */
const MOST_PER_HOST = 16;
/** Full hosts next to full hosts next to where it began. */
const RINGS = 2;

export type FleetReason = "drain" | "evacuate" | "latency" | "cap" | "make-way" | "consolidate";

export interface PlannedMove {
  roomId: string;
  fromHostId: string | undefined;
  toHostId: string;
  reason: FleetReason;
  /** What its players gain, ms each; a room that makes way loses. NaN where it could not stay. */
  gainMs: number;
  /** Moves that must be over first: they free its slot. */
  afterRoomIds: string[];
  text: string;
}

export interface FleetQuestion {
  /** Rooms that need another host, or would be better off on one that is full. */
  pressed: readonly RoomView[];
  /** Rooms of a host that may be moved now. */
  others: (hostId: string) => readonly RoomView[];
  budget: FleetBudget;
  atMs: number;
}

export interface FleetAnswer {
  /** In order. */
  moves: PlannedMove[];
  /** Pressed rooms that cannot stay and have to wait. */
  waiting: string[];
}

export function planMoves(
  question: FleetQuestion,
  hosts: HostTable,
  parameters: PlacementParameters,
  costs: MoveCosts,
): FleetAnswer {
  const scope = scopeOf(question, hosts, parameters, costs);
  const { budget } = question;
  const rooms = [...scope.values()];
  const inScope = new Map<string, number>();
  for (const { room } of rooms)
    if (room.hostId !== undefined) inScope.set(room.hostId, (inScope.get(room.hostId) ?? 0) + 1);
  const fleetHosts: FleetHost[] = [];
  for (const hostId of new Set(rooms.flatMap(({ room, costs: c }) => [...c.keys(), room.hostId ?? ""]))) {
    const host = hosts.get(hostId);
    if (host === undefined) continue;
    const moved = inScope.get(hostId) ?? 0;
    // Rooms out of the question keep their slots.
    const capacityRooms = Math.max(moved, host.capacityRooms - host.rooms + moved);
    fleetHosts.push({ hostId, capacityRooms, moves: movesLeft(budget, hostId) });
  }
  const plan = assignFleet(
    rooms.map(({ room, costs: c, moveCost }) => ({
      roomId: room.roomId,
      hostId: room.hostId,
      costs: c,
      moveCost,
    })),
    fleetHosts,
    { movesPerLink: (from, to) => linkMovesLeft(budget, from, to) },
  );
  const pressed = new Set(question.pressed.map(({ roomId }) => roomId));
  // Nobody may stand on a slot that is taken, not even for a moment: rings stay as they are.
  const ring = plan.moves.findIndex((move) => move.ring);
  const possible = ring < 0 ? plan.moves : plan.moves.slice(0, ring);
  const moves: PlannedMove[] = possible.flatMap(({ roomId, fromHostId, toHostId }, index) => {
    const prospects = scope.get(roomId);
    if (prospects === undefined) return [];
    const host = hosts.get(toHostId);
    const full = host !== undefined && host.rooms >= host.capacityRooms;
    const afterRoomIds = full
      ? possible
          .slice(0, index)
          .filter((m) => m.fromHostId === toHostId)
          .map((m) => m.roomId)
      : [];
    const reason = reasonOf(prospects, toHostId);
    const successor = possible.find((m) => m.toHostId === fromHostId && m.roomId !== roomId)?.roomId;
    const text = textOf(prospects, toHostId, reason, { afterRoomIds, successor });
    const gainMs = gainOf(prospects, toHostId);
    return [{ roomId, fromHostId, toHostId, reason, gainMs, afterRoomIds, text }];
  });
  const moved = new Set(moves.map(({ roomId }) => roomId));
  const waiting = [...pressed].filter((roomId) => scope.get(roomId)?.forced === true && !moved.has(roomId));
  return { moves, waiting };
}

/** The pressed rooms, and, around the full hosts they would like, the rooms that may make way. */
function scopeOf(
  { pressed, others, atMs }: FleetQuestion,
  hosts: HostTable,
  parameters: PlacementParameters,
  costs: MoveCosts,
): Map<string, Prospects> {
  const scope = new Map<string, Prospects>();
  const add = (room: RoomView): Prospects => {
    const prospects = prospectsOf(room, hosts, parameters, costs, atMs);
    scope.set(room.roomId, prospects);
    return prospects;
  };
  const byId = [...pressed].sort((a, b) => (a.roomId < b.roomId ? -1 : 1));
  let edge = byId.slice(0, MOST_PRESSED).map(add);
  const asked = new Set<string>();
  for (let ring = 0; ring < RINGS; ring++) {
    const next: Prospects[] = [];
    for (const hostId of new Set(edge.flatMap(({ costs: c }) => [...c.keys()]))) {
      const host = hosts.get(hostId);
      if (host === undefined || host.rooms < host.capacityRooms || asked.has(hostId)) continue;
      asked.add(hostId);
      const least = [...others(hostId)].sort(
        (a, b) => a.playerIds.length - b.playerIds.length || (a.roomId < b.roomId ? -1 : 1),
      );
      for (const room of least.slice(0, MOST_PER_HOST))
        if (!scope.has(room.roomId) && scope.size < MOST_ROOMS) next.push(add(room));
    }
    edge = next;
  }
  return scope;
}

/** Whoever could stay and gains nothing goes for another's sake. */
function reasonOf(prospects: Prospects, toHostId: string): FleetReason {
  const { current, byHost } = prospects;
  if (current?.rejected === "draining") return "drain";
  if (current === undefined || current.rejected !== undefined) return "evacuate";
  const to = byHost.get(toHostId);
  if (to !== undefined && to.capStage < current.capStage) return "cap";
  return gainOf(prospects, toHostId) > 0 ? "latency" : "make-way";
}

function gainOf({ current, byHost, forced }: Prospects, toHostId: string): number {
  if (forced || current === undefined) return Number.NaN;
  return current.scoreMs - (byHost.get(toHostId)?.scoreMs ?? current.scoreMs);
}

function textOf(
  { current, byHost, players }: Prospects,
  toHostId: string,
  reason: FleetReason,
  { afterRoomIds, successor }: { afterRoomIds: readonly string[]; successor: string | undefined },
): string {
  const there = byHost.get(toHostId);
  const to = there === undefined ? toHostId : atHost(there);
  const from = current === undefined ? "it runs nowhere" : `J ${atHost(current)}`;
  const who = players === 1 ? "1 player" : `${players} players`;
  const after = afterRoomIds.length === 0 ? "" : `; ${afterRoomIds.join(", ")} makes way`;
  switch (reason) {
    case "drain":
      return `${current?.hostId ?? "?"} is draining; ${to} for ${who}, planned with all rooms that leave it${after}`;
    case "evacuate":
      return `${current?.hostId ?? "its host"} is lost; ${to} for ${who}${after}`;
    case "make-way":
      return `makes way at ${current?.hostId ?? "?"} for ${successor ?? "a room"} that loses more without the slot; ${from}, ${to} for ${who}${after}`;
    case "cap":
    case "latency":
      return `${from}, ${to} for ${who}, planned with the rooms around it${after}`;
    case "consolidate":
      return `${current?.hostId ?? "?"} can rest; ${from}, ${to} for ${who}`;
    default: {
      const never: never = reason;
      return String(never);
    }
  }
}
