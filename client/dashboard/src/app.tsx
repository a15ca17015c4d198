/** The page: map and tables on the left, the feed or the open page on the right. */
import type { Decision, Location, Player } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { useControl } from "./api/control.js";
import { MapView } from "./map/map-view.js";
import { AuditPage } from "./pages/audit-page.js";
import { HostPage } from "./pages/host-page.js";
import { ReceiptPage } from "./pages/receipt-page.js";
import { RoomPage } from "./pages/room-page.js";
import { Feed } from "./panels/feed.js";
import { Header } from "./panels/header.js";
import { LoginDialog, RoleBadge } from "./panels/login.js";
import { Tables } from "./panels/tables.js";
import { Timeline } from "./panels/timeline.js";
import { type Route, useRoute } from "./ui/route.js";

interface WhatIf {
  readonly roomId: string;
  readonly playerId: string;
  readonly decision?: Decision;
  readonly problem?: string;
}

export function App() {
  const route = useRoute();
  const control = useControl();
  const whatIf = useSignal<WhatIf | undefined>(undefined);
  const ask = async ({ roomId, playerId }: Player, location: Location) => {
    try {
      if (control)
        whatIf.value = { roomId, playerId, decision: await control.whatIf(roomId, playerId, location) };
    } catch (error) {
      whatIf.value = { roomId, playerId, problem: error instanceof Error ? error.message : String(error) };
    }
  };
  return (
    <>
      <Header>
        <RoleBadge />
      </Header>
      <main class={route.page === "overview" ? "layout" : "layout detail"}>
        <div class="map-card card">
          <MapView {...(control && { onWhatIf: (player, location) => void ask(player, location) })} />
          <Timeline />
        </div>
        <Tables />
        <aside class="side" aria-label="Details">
          <Side route={route} whatIf={whatIf.value} />
        </aside>
      </main>
      <LoginDialog />
    </>
  );
}

function Side({ route, whatIf }: { route: Route; whatIf: WhatIf | undefined }) {
  switch (route.page) {
    case "overview":
      return <Feed />;
    case "room":
      return (
        <RoomPage
          key={route.roomId}
          roomId={route.roomId}
          whatIf={whatIf?.roomId === route.roomId ? whatIf : undefined}
        />
      );
    case "host":
      return <HostPage key={route.hostId} hostId={route.hostId} />;
    case "audit":
      return <AuditPage />;
    case "receipt":
      return <ReceiptPage migrationId={route.migrationId} />;
    default:
      return route satisfies never;
  }
}
