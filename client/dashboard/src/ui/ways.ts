/** By which ways players reach a room, in words. */
import type { TakenWay } from "@centroid/protocol";
import { formatMs, plural } from "./format.js";

export function wayInWords({ gatewayId, players, toGatewayMs, onwardMs }: TakenWay): string {
  if (gatewayId === undefined) return `${plural(players, "player")} directly`;
  const legs =
    toGatewayMs === undefined || onwardMs === undefined
      ? ""
      : ` (${formatMs(toGatewayMs)} to it, ${formatMs(onwardMs)} on)`;
  return `${plural(players, "player")} by ${gatewayId}${legs}`;
}

export const waysInWords = (ways: readonly TakenWay[]): string => ways.map(wayInWords).join(", ");
