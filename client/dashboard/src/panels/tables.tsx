/** The tables under the map: hosts and rooms. */
import type { Room } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { type HostRow, hostName, hostRows } from "../live/derive.js";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { HostStateBadge, LoadBar, PingBadge, RoomStateBadge } from "../ui/badges.js";
import { type Column, DataTable } from "../ui/data-table.js";
import { formatMs } from "../ui/format.js";
import { hostLink, roomLink, useRoute } from "../ui/route.js";

const HOST_COLUMNS: readonly Column<HostRow>[] = [
  {
    title: "Location",
    value: ({ host }) => host.name,
    cell: ({ host }) => <a href={hostLink(host.hostId)}>{host.name}</a>,
  },
  {
    title: "Ping",
    numeric: true,
    value: ({ pingMs }) => pingMs,
    cell: ({ pingMs }) => <PingBadge ms={pingMs} />,
  },
  {
    title: "Jitter",
    numeric: true,
    value: ({ jitterMs }) => jitterMs,
    cell: ({ jitterMs }) => formatMs(jitterMs),
  },
  {
    title: "Rooms",
    numeric: true,
    value: ({ host }) => host.rooms,
    cell: ({ host }) => (
      <>
        {host.rooms}
        <span class="of"> / {host.capacityRooms}</span>
      </>
    ),
  },
  {
    title: "Load",
    numeric: true,
    value: ({ host }) => host.load,
    cell: ({ host }) => <LoadBar load={host.load} />,
  },
  {
    title: "State",
    value: ({ host }) => host.state,
    cell: ({ host }) => <HostStateBadge state={host.state} />,
  },
];

function roomColumns(world: DashboardState): readonly Column<Room>[] {
  return [
    {
      title: "Room",
      value: (room) => room.roomId,
      cell: (room) => <a href={roomLink(room.roomId)}>{room.roomId}</a>,
    },
    { title: "Type", value: (room) => room.name, cell: (room) => room.name },
    {
      title: "Host",
      value: (room) => hostName(world, room.hostId),
      cell: (room) => hostName(world, room.hostId),
    },
    {
      title: "Ping",
      numeric: true,
      value: (room) => room.meanRttMs,
      cell: (room) => <PingBadge ms={room.meanRttMs} />,
    },
    { title: "Players", numeric: true, value: (room) => room.players, cell: (room) => room.players },
    { title: "Moves", numeric: true, value: (room) => room.migrations, cell: (room) => room.migrations },
    {
      title: "State",
      value: (room) => room.state,
      cell: (room) => <RoomStateBadge state={room.state} locked={room.locked} />,
    },
  ];
}

const TABS = ["hosts", "rooms"] as const;
type Tab = (typeof TABS)[number];

/** Where a key leads from a tab, as in every tab list. */
function nextTab(key: string, from: Tab): Tab | undefined {
  const at = TABS.indexOf(from);
  switch (key) {
    case "ArrowRight":
      return TABS[(at + 1) % TABS.length];
    case "ArrowLeft":
      return TABS.at(at - 1);
    case "Home":
      return TABS[0];
    case "End":
      return TABS.at(-1);
    default:
      return undefined;
  }
}

export function Tables() {
  const known = useStore().latest.value.atMs > 0;
  const world = useStore().world.value;
  const route = useRoute();
  const shown = useSignal<Tab>("hosts");
  const rows = useMemo(() => hostRows(world), [world]);
  const rooms = useMemo(() => [...world.rooms.values()], [world.rooms]);
  const columns = useMemo(() => roomColumns(world), [world.hosts]);
  const empty = (words: string) => (known ? words : "Waiting for the broker …");
  const tab = (name: Tab, title: string, count: number) => (
    <button
      type="button"
      role="tab"
      id={`tab-${name}`}
      aria-selected={shown.value === name}
      aria-controls="tables-panel"
      tabIndex={shown.value === name ? 0 : -1}
      onClick={() => {
        shown.value = name;
      }}
      onKeyDown={(event) => {
        const next = nextTab(event.key, name);
        if (next === undefined) return;
        event.preventDefault();
        shown.value = next;
        document.getElementById(`tab-${next}`)?.focus();
      }}
    >
      {title} <span class="count">{known ? count.toLocaleString("en") : "–"}</span>
    </button>
  );
  return (
    <section class="card tables" aria-label="Tables">
      <div class="tabs" role="tablist" aria-label="What to list">
        {tab("hosts", "Hosts", rows.length)}
        {tab("rooms", "Rooms", rooms.length)}
      </div>
      <div id="tables-panel" role="tabpanel" aria-labelledby={`tab-${shown.value}`}>
        {shown.value === "hosts" ? (
          <DataTable
            key="hosts"
            label="Hosts"
            columns={HOST_COLUMNS}
            rows={rows}
            rowKey={(row) => row.host.hostId}
            selectedKey={route.page === "host" ? route.hostId : undefined}
            empty={empty("No host has joined yet. Start an edge agent and it appears here.")}
          />
        ) : (
          <DataTable
            key="rooms"
            label="Rooms"
            columns={columns}
            rows={rooms}
            rowKey={(room) => room.roomId}
            selectedKey={route.page === "room" ? route.roomId : undefined}
            empty={empty("No room is running. The first player to join creates one.")}
          />
        )}
      </div>
    </section>
  );
}
