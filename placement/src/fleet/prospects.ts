/** What every host in question would cost a room's players, as the fleet's assignment counts it. */
import { worthWaiting } from "../decide/calm.js";
import type { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import type { DecisionCandidate, PlacementParameters, RoomView } from "../decide/types.js";

/** Hosts a room may be sent to: its best, with and without those that are full. */
const SHORTLIST = 6;
/** A player beyond a stricter cap is worse than any latency below it, ms. */
const STAGE_MS = 1_000;
/** A move that nobody needs must have paid for itself within this, s. */
const HORIZON_S = 30;
const MS_PER_S = 1_000;

export interface Prospects {
  room: RoomView;
  players: number;
  current: DecisionCandidate | undefined;
  byHost: Map<string, DecisionCandidate>;
  /** ms.player of one second, by host. */
  costs: Map<string, number>;
  /** What it costs to move it, spread over the horizon, ms.player. */
  moveCost: number;
  /** It cannot stay where it is. */
  forced: boolean;
}

export function prospectsOf(
  room: RoomView,
  hosts: HostTable,
  p: PlacementParameters,
  costs: MoveCosts,
  atMs: number,
): Prospects {
  const names = room.hostId === undefined ? [] : [room.hostId];
  const free = hosts.search(room, p, SHORTLIST, names);
  const any = hosts.search({ ...room, anySlot: true }, p, SHORTLIST, names);
  const current = any.named[0];
  const players = Math.max(1, room.playerIds.length);
  const found: Prospects = {
    room,
    players,
    current,
    byHost: new Map(),
    costs: new Map(),
    moveCost: 0,
    forced: current === undefined || current.rejected !== undefined,
  };
  const costOf = ({ scoreMs, capStage }: DecisionCandidate): number =>
    players * (scoreMs + STAGE_MS * capStage);
  const stayCost = current === undefined || found.forced ? 0 : costOf(current);
  // Where estimates alone suffice nobody is waited for.
  const isKnown = p.confirmedShare <= 0 || !room.playerIds.some((id) => hosts.map.isRemeasuring(id, atMs));
  for (const candidate of [...any.named, ...any.best, ...free.best]) {
    if (candidate.rejected !== undefined) continue;
    found.byHost.set(candidate.hostId, candidate);
    const cost = costOf(candidate);
    // Where it could stay, nothing is gained by an estimate alone.
    const confirmed = candidate === current || (isKnown && candidate.measuredShare >= p.confirmedShare);
    found.costs.set(candidate.hostId, confirmed ? cost : Math.max(cost, stayCost));
  }
  // Whoever may stay moves for more than the price of the move and the noise of what was measured.
  const { carrier, hostId: fromHostId = "", activity } = room;
  const price = costs.price({ carrier, fromHostId, toHostId: "", players, activity });
  // While they are in the middle of something, what a pause would save is paid in full.
  const pauseCost = found.forced ? 0 : worthWaiting(price, activity, p.regretFactor);
  const priceMs = (p.regretFactor * price.cost + pauseCost) / MS_PER_S / HORIZON_S;
  const noiseMs = p.noiseMargin * (current?.errorMs ?? 0);
  const leastMs = p.minGain * (current?.scoreMs ?? 0);
  found.moveCost = priceMs + (found.forced ? 0 : players * Math.max(noiseMs, leastMs));
  return found;
}
