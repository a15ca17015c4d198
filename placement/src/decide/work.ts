/**
 * How long a room's work takes at a host, queueing included.
 *
 * Requests of all rooms share a host's cores as an operating system shares them: M/G/c with processor sharing. Their
 * mean time is then in proportion to their own work, whatever its distribution (Cohen 1979), by the factor that an
 * M/M/c queue has (Erlang 1917), here in the closed form of Sakasegawa 1977, exact for one core. `c` is how many times
 * one core all cores together are, which need not be whole.
 */
import type { HostView, RoomView } from "./types.js";

/** How fast a host computes; 1 is the reference machine. */
export interface HostSpeed {
  /** One core that works alone. */
  oneCore: number;
  /** All cores at once: at most `cores` times as much, less where they share what they compute with. */
  allCores: number;
  cores: number;
}

/** What a room computes for its players. */
export interface RoomDemand {
  /** Processor time of one request on a core of speed 1, ms. */
  msPerRequest: number;
  /** Requests of all its players together. */
  perSecond: number;
}

/** What all rooms of a host compute together. */
export interface HostWork {
  /** Processor time on cores of speed 1, ms per second. */
  busyMsPerSecond: number;
  /** Sum over rooms of players x msPerRequest: who waits longer when the host gets slower. */
  playerMs: number;
}

/** Of a host that has not said how fast it is. */
const UNKNOWN: HostSpeed = { oneCore: 1, allCores: 1, cores: 1 };
/** Above this share in use the queue has no end worth speaking of: from here the factor grows by its tangent. */
const FULL = 0.95;
const MS_PER_S = 1_000;

/** How many times longer work takes than on an idle host, of which such a share is in use. */
export function slowdown({ oneCore, allCores }: HostSpeed, inUse: number): number {
  const cores = Math.max(1, allCores / oneCore);
  const power = Math.sqrt(2 * (cores + 1)) - 1;
  const shared = Math.min(FULL, Math.max(0, inUse));
  const waitShare = shared ** power / (cores * (1 - shared));
  if (inUse <= FULL) return 1 + waitShare;
  return 1 + waitShare + (inUse - FULL) * waitShare * (power / FULL + 1 / (1 - FULL));
}

/** Share of a host that this work takes. */
const shareOf = (busyMsPerSecond: number, { allCores }: HostSpeed): number =>
  busyMsPerSecond / (MS_PER_S * allCores);

export const busyMsPerSecond = ({ msPerRequest, perSecond }: RoomDemand): number => msPerRequest * perSecond;

export interface WorkTime {
  /** Of one request of this room at this host, ms. */
  workMs: number;
  /** What the rooms there lose if it runs there, ms per player of this room: else each would go where all are. */
  crowdingMs: number;
}

/** @returns undefined for a room without work */
export function workTimeAt(
  host: Pick<HostView, "hostId" | "load" | "speed" | "work">,
  { work, hostId, playerIds }: Pick<RoomView, "hostId" | "playerIds" | "work">,
): WorkTime | undefined {
  if (work === undefined) return undefined;
  const speed = host.speed ?? UNKNOWN;
  const own = shareOf(busyMsPerSecond(work), speed);
  const isHere = host.hostId === hostId;
  // Read once: a host that is asked sums up its rooms.
  const { work: there } = host;
  const declared = shareOf(there?.busyMsPerSecond ?? 0, speed) - (isHere ? own : 0);
  // What was measured has more in it than rooms declare, but not yet what has only just arrived.
  const others = Math.max(0, declared, host.load - (isHere ? own : 0));
  const without = slowdown(speed, others);
  const factor = slowdown(speed, others + own);
  const players = Math.max(1, playerIds.length);
  const othersMs = (there?.playerMs ?? 0) - (isHere ? players * work.msPerRequest : 0);
  return {
    workMs: (work.msPerRequest / speed.oneCore) * factor,
    crowdingMs: ((Math.max(0, othersMs) / speed.oneCore) * (factor - without)) / players,
  };
}

/** The work of rooms that share a host. */
export function workOf(
  rooms: Iterable<{ work: RoomDemand | undefined; players: number }>,
): HostWork | undefined {
  let sum: HostWork | undefined;
  for (const { work, players } of rooms) {
    if (work === undefined) continue;
    sum ??= { busyMsPerSecond: 0, playerMs: 0 };
    sum.busyMsPerSecond += busyMsPerSecond(work);
    sum.playerMs += Math.max(1, players) * work.msPerRequest;
  }
  return sum;
}
