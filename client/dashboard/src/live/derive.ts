/** Figures the tables show that no event carries: per-host latency, sorted lists, names. */
import type { Host, Player, Room } from "@centroid/protocol";
import type { DashboardState } from "./world.js";

export interface HostRow {
  readonly host: Host;
  /** Mean over the players of its rooms; undefined when none has measured. */
  readonly pingMs: number | undefined;
  readonly jitterMs: number | undefined;
}

/** @returns one row per host: mean of its players' p50 and jitter to it */
export function hostRows(world: DashboardState): HostRow[] {
  const sums = new Map<string, { ping: number; jitter: number; count: number }>();
  for (const player of world.players.values()) {
    const hostId = world.rooms.get(player.roomId)?.hostId;
    if (!hostId || !player.latency) continue;
    const sum = sums.get(hostId) ?? { ping: 0, jitter: 0, count: 0 };
    sum.ping += player.latency.p50Ms;
    sum.jitter += player.latency.jitterMs;
    sum.count += 1;
    sums.set(hostId, sum);
  }
  return [...world.hosts.values()].map((host) => {
    const sum = sums.get(host.hostId);
    return { host, pingMs: sum && sum.ping / sum.count, jitterMs: sum && sum.jitter / sum.count };
  });
}

export function hostName(world: DashboardState, hostId: string): string {
  return world.hosts.get(hostId)?.name ?? hostId;
}

export function playersOf(world: DashboardState, roomId: string): Player[] {
  return [...world.players.values()].filter((player) => player.roomId === roomId);
}

export function roomsOn(world: DashboardState, hostId: string): Room[] {
  return [...world.rooms.values()].filter((room) => room.hostId === hostId);
}
