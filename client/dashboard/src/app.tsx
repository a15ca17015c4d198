/** The page: map and tables on the left, the feed or the open page on the right. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { useControl } from "./api/control.js";
import { useStore } from "./live/store.js";
import { MapView } from "./map/map-view.js";
import { AuditPage } from "./pages/audit-page.js";
import { HostPage } from "./pages/host-page.js";
import { ReceiptPage } from "./pages/receipt-page.js";
import { RoomPage } from "./pages/room-page.js";
import type { WhatIf, WhatIfQuestion } from "./pages/what-if.js";
import { Feed } from "./panels/feed.js";
import { Header } from "./panels/header.js";
import { LoginDialog, RoleBadge } from "./panels/login.js";
import { Tables } from "./panels/tables.js";
import { TimelinePanel } from "./panels/timeline.js";
import { type Route, useRoute } from "./ui/route.js";
import { useFocusReturn } from "./ui/use-focus-return.js";
import { useTitle } from "./ui/use-title.js";

export function App() {
  const route = useRoute();
  const control = useControl();
  const { connection } = useStore();
  const content = useRef<HTMLElement>(null);
  const whatIf = useSignal<WhatIf | undefined>(undefined);
  useFocusReturn(route, content);
  useTitle(titleOf(route));
  const ask =
    control &&
    (async (question: WhatIfQuestion) => {
      const { roomId, playerId, location } = question;
      try {
        whatIf.value = { ...question, decision: await control.whatIf(roomId, playerId, location) };
      } catch (error) {
        whatIf.value = { ...question, problem: error instanceof Error ? error.message : String(error) };
      }
    });
  const overview = route.page === "overview";
  // What was true when the broker was last heard may not be any more.
  const stale = connection.value.kind === "lost";
  return (
    <>
      {/* Not a link: that would change the fragment, which says what page is open. */}
      <button type="button" class="skip" onClick={() => content.current?.focus()}>
        Skip to the content
      </button>
      <Header>
        <RoleBadge />
      </Header>
      <main class={`layout ${overview ? "" : "detail"} ${stale ? "stale" : ""}`} tabIndex={-1} ref={content}>
        {overview && <h1 class="hidden-text">Overview</h1>}
        <div class="map-card card">
          <MapView
            {...(ask && {
              onWhatIf: ({ roomId, playerId }, location) =>
                void ask({ roomId, playerId, location, place: "where you dropped the dot" }),
            })}
          />
          <TimelinePanel />
        </div>
        <Tables />
        <aside class="side" aria-label="Details">
          <Side route={route} whatIf={whatIf.value} ask={ask} />
        </aside>
      </main>
      <LoginDialog />
    </>
  );
}

interface SideProps {
  readonly route: Route;
  readonly whatIf: WhatIf | undefined;
  readonly ask: ((question: WhatIfQuestion) => Promise<void>) | undefined;
}

function Side({ route, whatIf, ask }: SideProps) {
  const known = useStore().latest.value.atMs > 0;
  // Before the first snapshot nothing is known, not even that a room does not run.
  if (!known && route.page !== "audit")
    return (
      <section class="card waiting">
        <p class="empty" role="status">
          Waiting for the broker …
        </p>
      </section>
    );
  switch (route.page) {
    case "overview":
      return <Feed />;
    case "room":
      return (
        <RoomPage
          key={route.roomId}
          roomId={route.roomId}
          whatIf={whatIf?.roomId === route.roomId ? whatIf : undefined}
          ask={ask}
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

function titleOf(route: Route): string | undefined {
  switch (route.page) {
    case "overview":
      return undefined;
    case "room":
      return `Room ${route.roomId}`;
    case "host":
      return `Host ${route.hostId}`;
    case "audit":
      return "Audit log";
    case "receipt":
      return `Receipt ${route.migrationId}`;
    default:
      return route satisfies never;
  }
}
