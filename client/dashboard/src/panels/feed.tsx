/** The feed of migrations: those under way first, then what each finished one did. */
import type { MigrationView, MoveReason, Receipt } from "@centroid/protocol";
import { hostName } from "../live/derive.js";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { formatBytes, formatMs, formatTime } from "../ui/format.js";
import { REACHABLE_BY_KEYS } from "../ui/reachable.js";
import { receiptLink, roomLink } from "../ui/route.js";
import { PhaseTrack } from "./phase-track.js";

const MAX_SHOWN = 60;

export const REASON_WORDS: Record<MoveReason, string> = {
  latency: "closer to its players",
  cap: "a player was over the latency cap",
  drain: "host is draining",
  evacuate: "host is unwell",
  load: "host was too busy",
  consolidate: "fewer hosts needed",
  "make-way": "another room needed the slot",
  "host-lost": "its host was lost",
  operator: "moved by an operator",
};

export function Feed() {
  const world = useStore().world.value;
  const running = [...world.migrations.values()].sort((a, b) => b.startedAtMs - a.startedAtMs);
  return (
    <section class="card feed" aria-labelledby="feed-title">
      <header class="card-head">
        <h2 id="feed-title">Migrations</h2>
        <span class="muted">{running.length > 0 ? `${running.length} under way` : "none under way"}</span>
      </header>
      {running.length + world.receipts.length === 0 && (
        <p class="empty">
          No room has moved yet. A room moves when staying costs its players more than moving.
        </p>
      )}
      <div class="feed-scroll" role="log" aria-label="Migrations" {...REACHABLE_BY_KEYS}>
        <ol>
          {running.map((migration) => (
            <Running key={migration.migrationId} migration={migration} world={world} />
          ))}
          {world.receipts.slice(0, MAX_SHOWN).map((receipt) => (
            <Finished key={receipt.migrationId} receipt={receipt} world={world} />
          ))}
        </ol>
      </div>
    </section>
  );
}

function Way({ world, from, to }: { world: DashboardState; from: string; to: string }) {
  return (
    <span class="way">
      {hostName(world, from)} <span class="way-arrow">→</span> {hostName(world, to)}
    </span>
  );
}

function Running({ migration, world }: { migration: MigrationView; world: DashboardState }) {
  return (
    <li class="feed-item running" data-room={migration.roomId}>
      <div class="feed-line">
        <a href={roomLink(migration.roomId)}>{migration.roomId}</a>
        <span class="muted">{formatBytes(migration.bytes)}</span>
      </div>
      <Way world={world} from={migration.fromHostId} to={migration.toHostId} />
      <PhaseTrack phase={migration.phase} />
    </li>
  );
}

function Finished({ receipt, world }: { receipt: Receipt; world: DashboardState }) {
  const freeze = receipt.freezeBeyondTickMs ?? receipt.freezeMs;
  const completed = receipt.outcome === "completed";
  return (
    <li class="feed-item" data-room={receipt.roomId}>
      <div class="feed-line">
        <a href={receiptLink(receipt.migrationId)}>{receipt.roomId}</a>
        <time class="muted" dateTime={new Date(receipt.startedAtMs).toISOString()}>
          {formatTime(receipt.startedAtMs + receipt.totalMs)}
        </time>
      </div>
      <Way world={world} from={receipt.fromHostId} to={receipt.toHostId} />
      <div class="feed-line">
        <span class="muted">{REASON_WORDS[receipt.reason]}</span>
        {completed ? (
          <span class="freeze">
            freeze <strong>{formatMs(freeze?.max)}</strong>
          </span>
        ) : (
          <span class="failed">× {receipt.outcome.replace("-", " ")}</span>
        )}
      </div>
    </li>
  );
}
