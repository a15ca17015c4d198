/** What passes between a room and each of its players, as its host tells it by session. */
import type { PlayerTraffic } from "@centroid/placement";
import type { RoomTraffic } from "@centroid/protocol";
import type { RoomEntry } from "./room-registry.js";

/** By player: one with several sessions here says and sees what all of them do. */
export function trafficByPlayer(
  { sessions }: Pick<RoomEntry, "sessions">,
  { told, others }: RoomTraffic,
): Map<string, PlayerTraffic> {
  const bySession = new Map(told.map((one) => [one.sessionId, one]));
  const byPlayer = new Map<string, PlayerTraffic>();
  for (const { sessionId, playerId, stage } of sessions.values()) {
    if (playerId === undefined || stage.state !== "connected") continue;
    const { says, sees } = bySession.get(sessionId) ?? others;
    const before = byPlayer.get(playerId);
    byPlayer.set(playerId, { says: says + (before?.says ?? 0), sees: sees + (before?.sees ?? 0) });
  }
  return byPlayer;
}
