/** Which hosts may take a room, and which of two is the better. */
import type { DecisionCandidate, HostView, PlacementParameters, Rejection, RoomView } from "./types.js";

/** Why a host may not take a room; undefined if it may. */
export function excluded(room: RoomView, host: HostView): Rejection | undefined {
  if (host.state !== "active") return host.state;
  if (!host.carriers.includes(room.carrier)) return "carrier";
  if (
    room.roomType !== undefined &&
    host.roomTypes !== undefined &&
    host.roomTypes.length > 0 &&
    !host.roomTypes.includes(room.roomType)
  )
    return "room-type";
  if (room.allowedRegions !== undefined && !room.allowedRegions.includes(host.region)) return "region";
  if (room.avoidHostIds?.includes(host.hostId) === true) return "anti-affinity";
  if (room.anySlot !== true && host.hostId !== room.hostId && host.rooms >= host.capacityRooms) return "full";
  return undefined;
}

/** Hosts that may not take the room last; then by cap stage, J, and host id. */
export function byRank(a: DecisionCandidate, b: DecisionCandidate): number {
  const excludedFirst = Number(a.rejected !== undefined) - Number(b.rejected !== undefined);
  if (excludedFirst !== 0) return excludedFirst;
  if (a.rejected === undefined && a.capStage !== b.capStage) return a.capStage - b.capStage;
  return a.scoreMs - b.scoreMs || (a.hostId < b.hostId ? -1 : 1);
}

/** Puts a candidate where it belongs among the `count` best. */
export function keep(best: DecisionCandidate[], candidate: DecisionCandidate, count: number): void {
  let at = best.length;
  while (at > 0 && byRank(candidate, best[at - 1] as DecisionCandidate) < 0) at--;
  if (at >= count) return;
  best.splice(at, 0, candidate);
  if (best.length > count) best.pop();
}

/** The strictest cap this host keeps for every player; one past the last if none. */
export function capStage(maxMs: number, capsMs: readonly number[]): number {
  for (let stage = 0; stage < capsMs.length; stage++) if (maxMs <= (capsMs[stage] ?? 0)) return stage;
  return capsMs.length;
}

/** A host that keeps this for everybody is better than any of the candidate's stage, whatever its J. */
export function stricterCapMs(last: DecisionCandidate | undefined, p: PlacementParameters): number {
  if (last === undefined) return Number.POSITIVE_INFINITY;
  return last.capStage > 0 ? (p.capsMs[last.capStage - 1] ?? 0) : Number.NEGATIVE_INFINITY;
}
