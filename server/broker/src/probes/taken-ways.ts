/** By which ways the players of a room reach its host, and why by these: for people who ask. */
import type { TakenWay } from "@centroid/protocol";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { GatewayLegs } from "./gateway-legs.js";
import type { PlayerEntry, PlayerRegistry } from "./player-registry.js";
import { bestWay, type GatewayWay, gatewayWay, nearestWay } from "./player-ways.js";

const UNCOMPARED = "they came by it; no other was measured";

interface TakenWaysOptions {
  players: Pick<PlayerRegistry, "get">;
  legs: Pick<GatewayLegs, "rttMs">;
}

/** One entry per gateway, and one for those who come by none; those with most players first. */
export function takenWays(room: RoomEntry, { players, legs }: TakenWaysOptions): TakenWay[] {
  const groups = new Map<string | undefined, (PlayerEntry | undefined)[]>();
  for (const { playerId, gatewayId, stage } of room.sessions.values()) {
    if (stage.state !== "connected") continue;
    const player = playerId === undefined ? undefined : players.get(playerId);
    const group = groups.get(gatewayId);
    if (group === undefined) groups.set(gatewayId, [player]);
    else group.push(player);
  }
  const { hostId } = room.stage;
  return [...groups]
    .map(([gatewayId, members]): TakenWay => {
      if (gatewayId === undefined) return { players: members.length, because: whyDirect(members) };
      const measured = members.flatMap((player) => {
        const to = player?.toGateways;
        const way = to?.presentId === gatewayId ? gatewayWay(to, gatewayId, hostId, legs) : undefined;
        return to === undefined || way === undefined ? [] : [{ to, way }];
      });
      if (measured.length === 0) return { gatewayId, players: members.length, because: UNCOMPARED };
      const others = new Set(
        measured.flatMap(({ to, way }) =>
          reason(way, bestWay(to, hostId, legs), nearestWay(to, hostId, legs)),
        ),
      );
      return {
        gatewayId,
        players: members.length,
        toGatewayMs: mean(measured.map(({ way }) => way.toGatewayMs)),
        onwardMs: mean(measured.map(({ way }) => way.onwardMs)),
        because:
          others.size > 0
            ? [...others].join("; ")
            : measured.some(({ to }) => to.rttsMs.size > 1)
              ? "the nearest of those measured"
              : UNCOMPARED,
      };
    })
    .sort((a, b) => b.players - a.players);
}

function whyDirect(members: readonly (PlayerEntry | undefined)[]): string {
  const chosen = members.filter((player) => player?.chosenDirect === true).length;
  const own = "they reach the host at its own address";
  return chosen === 0 ? own : `${own}, which ${chosen} of them measured to be no farther than by a gateway`;
}

function reason(way: GatewayWay, best: GatewayWay | undefined, nearest: GatewayWay | undefined): string[] {
  if (best !== undefined && best.gatewayId !== way.gatewayId) return [`going over to ${best.gatewayId}`];
  if (nearest === undefined || nearest.gatewayId === way.gatewayId) return [];
  const savedMs = Math.round(way.rttMs - nearest.rttMs);
  return [`${nearest.gatewayId} is nearer by ${savedMs} ms, which is not worth a change`];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
