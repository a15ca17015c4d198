/** What is under the pointer, in a few words. */
import type { DashboardState } from "../live/world.js";
import { formatMs, formatPercent, plural } from "../ui/format.js";
import type { PlacedThing, View } from "./scene.js";
import { toScreen } from "./scene.js";

interface TooltipProps {
  readonly thing: PlacedThing;
  readonly world: DashboardState;
  readonly view: View;
  readonly width: number;
}

export function Tooltip({ thing, world, view, width }: TooltipProps) {
  const at = toScreen(thing, view);
  const side = at.x > width / 2 ? { right: `${width - at.x + 14}px` } : { left: `${at.x + 14}px` };
  return (
    <div class="tooltip" style={{ ...side, top: `${Math.max(4, at.y - 12)}px` }}>
      <Content thing={thing} world={world} />
    </div>
  );
}

function Content({ thing, world }: { thing: PlacedThing; world: DashboardState }) {
  const hostName = (hostId: string | undefined) => (hostId && world.hosts.get(hostId)?.name) ?? hostId ?? "–";
  switch (thing.kind) {
    case "host":
      return (
        <>
          <strong>{thing.host.name}</strong>
          <span>
            {thing.host.state} · {plural(thing.host.rooms, "room")} · {plural(thing.host.players, "player")} ·
            load {formatPercent(thing.host.load)}
          </span>
        </>
      );
    case "room":
      return (
        <>
          <strong>{thing.room.roomId}</strong>
          <span>
            {thing.room.name} on {hostName(thing.room.hostId)} · {plural(thing.room.players, "player")} · ping{" "}
            {formatMs(thing.room.meanRttMs)}
          </span>
        </>
      );
    case "player":
      return (
        <>
          <strong>{thing.player.playerId}</strong>
          <span>
            in {thing.player.roomId} on {hostName(world.rooms.get(thing.player.roomId)?.hostId)} · ping{" "}
            {formatMs(thing.player.latency?.p50Ms)}
            {thing.player.gatewayId ? ` by ${thing.player.gatewayId}` : " directly"}
            {thing.player.network ? ` · ${thing.player.network}` : ""}
          </span>
        </>
      );
    default:
      return thing satisfies never;
  }
}
