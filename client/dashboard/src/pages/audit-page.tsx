/** The audit log: who ordered what, when, and what became of it. */
import type { AuditEntry } from "@centroid/protocol";
import { useSignal } from "@preact/signals";
import { type Control, useControl } from "../api/control.js";
import { hostName } from "../live/derive.js";
import { useStore } from "../live/store.js";
import type { DashboardState } from "../live/world.js";
import { Action } from "../ui/action.js";
import { formatDay, formatTime } from "../ui/format.js";
import { REACHABLE_BY_KEYS } from "../ui/reachable.js";
import { hostLink, roomLink } from "../ui/route.js";
import { Page } from "./page.js";
import { useFetched } from "./use-fetched.js";

const PAGE_SIZE = 100;

export function AuditPage() {
  const control = useControl();
  return (
    <Page kind="Control API" title="Audit log" id="audit">
      <p class="muted">Every order to the broker, done or refused. No entry can be changed.</p>
      {control ? <Log control={control} /> : <p class="muted">A recording has none.</p>}
    </Page>
  );
}

function Log({ control }: { control: Control }) {
  const world = useStore().world.value;
  const turn = useSignal(0);
  const earlier = useSignal<readonly AuditEntry[]>([]);
  const newest = useFetched(`${turn.value}`, () => control.audit(PAGE_SIZE)).value;
  switch (newest.kind) {
    case "loading":
      return <p class="muted">Reading …</p>;
    case "failed":
      return (
        <p class="failed" role="alert">
          {newest.message}
        </p>
      );
    case "loaded": {
      const entries = [...newest.value, ...earlier.value];
      const oldest = entries.at(-1);
      return (
        <>
          <p class="page-orders">
            <Action
              run={async () => {
                earlier.value = [];
                turn.value += 1;
              }}
            >
              Read again
            </Action>
          </p>
          {entries.length === 0 ? (
            <p class="muted">No orders yet.</p>
          ) : (
            <Entries entries={entries} world={world} />
          )}
          {oldest && entries.length % PAGE_SIZE === 0 && (
            <Action
              run={async () => {
                earlier.value = [...earlier.value, ...(await control.audit(PAGE_SIZE, oldest.atMs))];
              }}
            >
              Earlier ones
            </Action>
          )}
        </>
      );
    }
    default:
      return newest satisfies never;
  }
}

function Entries({ entries, world }: { entries: readonly AuditEntry[]; world: DashboardState }) {
  return (
    <div class="table-wide" {...REACHABLE_BY_KEYS}>
      <table aria-label="Orders">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Order</th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.auditId}>
              <th scope="row">
                <time dateTime={new Date(entry.atMs).toISOString()}>
                  {formatTime(entry.atMs)} <span class="source">{formatDay(entry.atMs)}</span>
                </time>
              </th>
              <td>
                {entry.who.name ?? entry.who.role}
                <span class="source">
                  {entry.who.name === undefined ? "" : `${entry.who.role}, `}
                  {entry.who.address}
                </span>
              </td>
              <td class="order">
                <Order entry={entry} world={world} />
              </td>
              <td class="order">
                <span class={entry.outcome === "done" ? "ok" : "failed"}>
                  {entry.outcome === "done" ? "✓" : "×"} {entry.outcome}
                </span>
                {entry.message && <span class="source">{entry.message}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Order({ entry, world }: { entry: AuditEntry; world: DashboardState }) {
  const { action, roomId, hostId, sessionId, details } = entry;
  return (
    <>
      <strong>{action}</strong> {roomId && <a href={roomLink(roomId)}>{roomId}</a>}
      {hostId && <a href={hostLink(hostId)}>{hostName(world, hostId)}</a>}
      {sessionId && ` session ${sessionId}`}
      {details !== undefined && <code class="details">{JSON.stringify(details)}</code>}
    </>
  );
}
