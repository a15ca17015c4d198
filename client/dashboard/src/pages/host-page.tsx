/** One host: what runs there, and drain or activate with the effect shown before it happens. */
import type { Host, Room } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { type Control, useControl } from "../api/control.js";
import { hostName, hostRows, roomsOn } from "../live/derive.js";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { Action } from "../ui/action.js";
import { HostStateBadge, LoadBar, PingBadge } from "../ui/badges.js";
import { Dialog } from "../ui/dialog.js";
import { formatBytes, formatMs, formatTime, plural } from "../ui/format.js";
import { roomLink } from "../ui/route.js";
import { Facts, Page, Section } from "./page.js";

export function HostPage({ hostId }: { hostId: string }) {
  const world = useStore().world.value;
  const control = useControl();
  const row = hostRows(world).find(({ host }) => host.hostId === hostId);
  if (!row) {
    return (
      <Page kind="Host" title={hostId} id={hostId}>
        <p class="muted">No host of this name is known at the time shown.</p>
      </Page>
    );
  }
  const { host } = row;
  const rooms = roomsOn(world, hostId);
  return (
    <Page kind="Edge host" title={host.name} id={hostId}>
      <Facts
        facts={[
          ["State", <HostStateBadge state={host.state} />],
          ["Ping", <PingBadge ms={row.pingMs} />],
          ["Jitter", formatMs(row.jitterMs)],
          ["Rooms", `${host.rooms} / ${host.capacityRooms}`],
          ["Players", host.players],
          ["Load", <LoadBar load={host.load} />],
          ["Memory", formatBytes(host.rssBytes)],
          ["Carriers", host.carriers.join(", ")],
          ["Last heard", formatTime(host.lastHeartbeatAtMs)],
        ]}
      />
      {control && <StateOrders host={host} world={world} control={control} />}
      <Section title="Rooms here">
        {rooms.length === 0 ? <p class="muted">None.</p> : <RoomList rooms={rooms} />}
      </Section>
    </Page>
  );
}

function RoomList({ rooms }: { rooms: readonly Room[] }) {
  return (
    <ol class="moves">
      {rooms.map((room) => (
        <li key={room.roomId}>
          <a href={roomLink(room.roomId)}>{room.roomId}</a>
          <span>{plural(room.players, "player")}</span>
          <PingBadge ms={room.meanRttMs} />
        </li>
      ))}
    </ol>
  );
}

function StateOrders({ host, world, control }: { host: Host; world: DashboardState; control: Control }) {
  const confirming = useSignal(false);
  switch (host.state) {
    case "lost":
      return (
        <p class="muted">It does not answer. It becomes active again by itself when its agent returns.</p>
      );
    case "draining":
      return (
        <Action primary run={() => control.activate(host.hostId)}>
          Activate
        </Action>
      );
    case "active":
      return (
        <>
          <button
            type="button"
            onClick={() => {
              confirming.value = true;
            }}
          >
            Drain …
          </button>
          {confirming.value && (
            <DrainDialog
              host={host}
              world={world}
              control={control}
              onClose={() => {
                confirming.value = false;
              }}
            />
          )}
        </>
      );
    default:
      return host.state satisfies never;
  }
}

interface DrainDialogProps {
  readonly host: Host;
  readonly world: DashboardState;
  readonly control: Control;
  readonly onClose: () => void;
}

function DrainDialog({ host, world, control, onClose }: DrainDialogProps) {
  const rooms = roomsOn(world, host.hostId);
  return (
    <Dialog title={`Drain ${host.name}?`} onClose={onClose}>
      <p>
        {rooms.length === 0
          ? "No room runs there. It takes no new ones until you activate it again."
          : `${plural(rooms.length, "room")} with ${plural(host.players, "player")} will move away live, and it takes no new ones until you activate it again.`}
      </p>
      {rooms.length > 0 && (
        <ol class="moves" aria-label="Effect">
          {rooms.map((room) => {
            const next = likelyNext(room, world);
            return (
              <li key={room.roomId}>
                <span>{room.roomId}</span>
                <span>
                  <span class="way-arrow">→</span>{" "}
                  {next ? `probably ${hostName(world, next.hostId)}` : "best host at that time"}
                </span>
                <span class="muted">
                  {formatMs(room.meanRttMs)}
                  {next ? ` → ${formatMs(next.meanMs)}` : ""}
                </span>
              </li>
            );
          })}
        </ol>
      )}
      <div class="dialog-buttons">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <Action
          primary
          run={async () => {
            // The login, if one is needed, opens above this dialog.
            await control.drain(host.hostId);
            onClose();
          }}
        >
          Drain {host.name}
        </Action>
      </div>
    </Dialog>
  );
}

/** The best other host of the room's last decision that takes rooms now. */
function likelyNext(room: Room, world: DashboardState) {
  const [decision] = world.decisions.get(room.roomId) ?? [];
  return decision?.candidates
    .filter(({ hostId }) => hostId !== room.hostId && world.hosts.get(hostId)?.state === "active")
    .sort((a, b) => a.scoreMs - b.scoreMs)[0];
}
