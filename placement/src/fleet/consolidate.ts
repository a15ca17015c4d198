/**
 * Half-empty hosts that need not run: if the rooms of one fit on others that run anyway, and its price per hour and
 * the energy of keeping it awake are worth more than what the players lose, they move and it rests.
 */
import type { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import { restingMs } from "../decide/objective.js";
import type { HostView, PlacementParameters, RoomView } from "../decide/types.js";
import { assignFleet } from "./assign.js";
import { type FleetBudget, linkMovesLeft, movesLeft } from "./budget.js";
import type { PlannedMove } from "./plan-moves.js";
import { type Prospects, prospectsOf } from "./prospects.js";

/** Hosts fuller than this are not worth emptying. */
const HALF = 0.5;

export interface ConsolidationQuestion {
  /** Rooms of a host that may be moved now. */
  others: (hostId: string) => readonly RoomView[];
  budget: FleetBudget;
  atMs: number;
}

/** Moves that empty the host that is worth most, all at once; none if that helps nobody. */
export function consolidate(
  { others, budget, atMs }: ConsolidationQuestion,
  hosts: HostTable,
  parameters: PlacementParameters,
  costs: MoveCosts,
): PlannedMove[] {
  let most = 0;
  let best: PlannedMove[] = [];
  const byId = [...hosts].sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
  for (const host of byId) {
    const savedMs = restingMs(host, parameters);
    if (savedMs <= 0 || host.state !== "active" || host.rooms === 0) continue;
    if (host.rooms > HALF * host.capacityRooms || host.rooms > movesLeft(budget, host.hostId)) continue;
    const rooms = others(host.hostId);
    // Who may not move keeps it awake.
    if (rooms.length !== host.rooms) continue;
    const found = emptied(
      host,
      rooms.map((room) => prospectsOf(room, hosts, parameters, costs, atMs)),
      hosts,
      budget,
    );
    if (found === undefined || savedMs - found.lossMs <= most) continue;
    most = savedMs - found.lossMs;
    best = found.moves;
  }
  return best;
}

/** The cheapest way off the host; undefined if not all can go, or a player would pass a cap. */
function emptied(
  { hostId }: HostView,
  rooms: readonly Prospects[],
  hosts: HostTable,
  budget: FleetBudget,
): { moves: PlannedMove[]; lossMs: number } | undefined {
  const awake = (other: string): boolean => other !== hostId && (hosts.get(other)?.rooms ?? 0) > 0;
  const fleetRooms = rooms.map(({ room, byHost, current, costs, moveCost }) => ({
    roomId: room.roomId,
    hostId: room.hostId,
    moveCost,
    costs: new Map(
      [...costs].filter(
        ([other]) => awake(other) && (byHost.get(other)?.capStage ?? 0) <= (current?.capStage ?? 0),
      ),
    ),
  }));
  const fleetHosts = [...new Set([hostId, ...fleetRooms.flatMap(({ costs }) => [...costs.keys()])])].map(
    (id) => {
      const view = hosts.get(id);
      const free = (view?.capacityRooms ?? 0) - (view?.rooms ?? 0);
      const capacityRooms = id === hostId ? rooms.length : Math.max(0, free);
      return { hostId: id, capacityRooms, moves: movesLeft(budget, id) };
    },
  );
  const plan = assignFleet(fleetRooms, fleetHosts, {
    movesPerLink: (from, to) => linkMovesLeft(budget, from, to),
  });
  if (plan.unplaced.length + plan.stranded.length > 0 || plan.moves.length !== rooms.length) return undefined;
  const byId = new Map(rooms.map((prospects) => [prospects.room.roomId, prospects]));
  let lossMs = 0;
  const moves = plan.moves.map(({ roomId, fromHostId, toHostId }): PlannedMove => {
    const of = byId.get(roomId);
    const hereMs = of?.current?.scoreMs ?? 0;
    const thereMs = of?.byHost.get(toHostId)?.scoreMs ?? 0;
    const players = of?.players ?? 1;
    lossMs += players * (thereMs - hereMs) + (of?.moveCost ?? 0);
    const text = `${hostId} can rest: its ${rooms.length === 1 ? "room fits" : `${rooms.length} rooms fit`} elsewhere; J ${Math.round(hereMs)} ms at ${hostId}, ${Math.round(thereMs)} ms at ${toHostId}`;
    return {
      roomId,
      fromHostId,
      toHostId,
      reason: "consolidate",
      gainMs: hereMs - thereMs,
      afterRoomIds: [],
      text,
    };
  });
  return { moves, lossMs };
}
