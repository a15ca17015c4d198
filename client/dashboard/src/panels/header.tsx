/** The top bar: whether it is live, the figures that matter, theme and login. */
import { useComputed } from "@preact/signals";
import { useStore } from "../live/store.js";
import type { EventStream } from "../live/stream.js";
import { formatMs, formatTime, plural } from "../ui/format.js";
import { auditLink, overviewLink } from "../ui/route.js";
import { chooseTheme, useTheme } from "../ui/theme.js";

export function Header({ children }: { children?: preact.ComponentChildren }) {
  const store = useStore();
  const theme = useTheme();
  const world = store.world.value;
  const figures = useComputed(() => summarise(store.world.value));
  const known = store.latest.value.atMs > 0;
  const stale = store.connection.value.kind === "lost";
  const count = (size: number) => (known ? size.toLocaleString("en") : "–");
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <header class="top">
      <a class="brand" href={overviewLink}>
        <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="13" fill="none" stroke="currentColor" stroke-width="2.2" />
          <circle cx="16" cy="16" r="4.5" class="brand-dot" />
          <path d="M16 3 V11 M16 21 V29 M3 16 H11 M21 16 H29" stroke="currentColor" stroke-width="1.4" />
        </svg>
        Centroid
      </a>
      <ConnectionBadge connection={store.connection.value} />
      {stale && known && <span class="as-of">figures of {formatTime(store.latest.value.atMs)}</span>}
      {world.emulated && (
        <span class="emulated" title="The distances between players and hosts are emulated on the wire.">
          emulated distances
        </span>
      )}
      {store.unreadable.value.count > 0 && (
        <span class="failed" title={store.unreadable.value.last}>
          {plural(store.unreadable.value.count, "unreadable event")}
        </span>
      )}
      <dl class={`figures ${stale ? "stale" : ""}`}>
        <Figure name="hosts" value={count(world.hosts.size)} />
        <Figure name="rooms" value={count(world.rooms.size)} />
        <Figure name="players" value={count(world.players.size)} />
        <Figure name="mean ping" value={formatMs(figures.value.pingMs)} />
        <Figure name="freeze p50" value={formatMs(figures.value.freezeMs)} />
      </dl>
      <div class="top-actions">
        <a href={auditLink}>Audit log</a>
        {children}
        <button
          type="button"
          class="quiet"
          aria-label={`Use the ${other} theme`}
          onClick={() => chooseTheme(theme, other)}
        >
          {theme.value === "dark" ? "☀" : "☾"}
        </button>
      </div>
    </header>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function ConnectionBadge({ connection }: { connection: EventStream }) {
  switch (connection.kind) {
    case "connecting":
      return <output class="connection waiting">connecting</output>;
    case "live":
      return <output class="connection live">live</output>;
    case "lost":
      return <output class="connection lost">broker unreachable, trying again</output>;
    case "recording":
      return <output class="connection waiting">recording</output>;
    default:
      return connection satisfies never;
  }
}

function summarise(world: ReturnType<typeof useStore>["world"]["value"]) {
  let sum = 0;
  let count = 0;
  for (const player of world.players.values()) {
    if (!player.latency) continue;
    sum += player.latency.p50Ms;
    count += 1;
  }
  const freezes = world.receipts
    .flatMap((receipt) => (receipt.freezeBeyondTickMs ?? receipt.freezeMs)?.p50 ?? [])
    .sort((a, b) => a - b);
  return { pingMs: count > 0 ? sum / count : undefined, freezeMs: freezes[Math.floor(freezes.length / 2)] };
}
