/** The receipt of one migration: its timeline, and the proof that nothing was lost. */
import type { MigrationPhase, Receipt } from "@centroid/protocol";
import { hostName } from "../live/derive.js";
import { useStore } from "../live/store.js";
import { REASON_WORDS } from "../panels/feed.js";
import { formatBytes, formatMs, formatSpan, formatTime } from "../ui/format.js";
import { roomLink } from "../ui/route.js";
import { waysInWords } from "../ui/ways.js";
import { Facts, Page, Section } from "./page.js";

/** What each phase does, for a person who never saw one. */
const PHASE_WORDS: Record<MigrationPhase, string> = {
  preparing: "slot reserved at the destination",
  copying: "snapshot sent while the room keeps running",
  connecting: "players connect to the destination ahead of time",
  frozen: "last changes shipped, nobody is served",
  switching: "the destination runs the room, players switch over",
  releasing: "the source lets go",
  completed: "done",
  "rolled-back": "undone, the source keeps the room",
};

export function ReceiptPage({ migrationId }: { migrationId: string }) {
  const store = useStore();
  const receipt = store.latest.value.receipts.find((candidate) => candidate.migrationId === migrationId);
  const world = store.latest.value;
  if (!receipt) {
    return (
      <Page kind="Receipt" title={migrationId} id={migrationId}>
        <p class="muted">There is no receipt of this migration among the last ones.</p>
      </Page>
    );
  }
  const freeze = receipt.freezeMs;
  return (
    <Page
      kind="Receipt"
      id={migrationId}
      title={
        <>
          {hostName(world, receipt.fromHostId)} <span class="way-arrow">→</span>{" "}
          {hostName(world, receipt.toHostId)}
        </>
      }
    >
      <Facts
        facts={[
          ["Room", <a href={roomLink(receipt.roomId)}>{receipt.roomId}</a>],
          ["Outcome", receipt.outcome.replace("-", " ")],
          ["Why", REASON_WORDS[receipt.reason]],
          ["When", formatTime(receipt.startedAtMs)],
          ["Took", formatSpan(receipt.totalMs)],
          ["Sent", formatBytes(receipt.bytes)],
          ["Mechanism", receipt.mechanism],
          ...(receipt.ways ? [["Players", waysInWords(receipt.ways)] as [string, string]] : []),
        ]}
      />
      {receipt.error && (
        <p class="failed">
          {receipt.error.code}: {receipt.error.message}
        </p>
      )}
      <Section title="Timeline">
        <PhaseTimeline receipt={receipt} />
      </Section>
      <Section title="Continuity">
        <Continuity receipt={receipt} />
        {freeze && (
          <p class="muted">
            Silence as {freeze.clients} clients saw it: p50 {formatMs(freeze.p50)}, p99 {formatMs(freeze.p99)}
            , longest {formatMs(freeze.max)}
            {receipt.freezeBeyondTickMs && (
              <> — of which the move itself added at most {formatMs(receipt.freezeBeyondTickMs.max)}</>
            )}
            .
          </p>
        )}
      </Section>
    </Page>
  );
}

function PhaseTimeline({ receipt }: { receipt: Receipt }) {
  const totalMs = Math.max(1, receipt.totalMs);
  return (
    <ol class="phases">
      {receipt.phases.map(({ phase, atMs, durationMs }) => (
        <li key={`${phase}${atMs}`} class={phase === "frozen" || phase === "switching" ? "felt" : ""}>
          <span class="phase-name">{phase}</span>
          <span class="phase-bar" aria-hidden="true">
            <span
              style={{
                left: `${Math.min(99, Math.max(0, (100 * (atMs - receipt.startedAtMs)) / totalMs))}%`,
                width: `${Math.min(100, Math.max(1, (100 * durationMs) / totalMs))}%`,
              }}
            />
          </span>
          <span class="numeric">{formatMs(durationMs)}</span>
          <span class="muted phase-words">{PHASE_WORDS[phase]}</span>
        </li>
      ))}
    </ol>
  );
}

function Continuity({ receipt }: { receipt: Receipt }) {
  const { stateHashBefore: before, stateHashAfter: after } = receipt;
  const known = before !== undefined && after !== undefined;
  return (
    <ul class="proof">
      <Check ok={receipt.messagesLost === 0}>{receipt.messagesLost} messages lost</Check>
      <Check ok={receipt.messagesDuplicated === 0}>{receipt.messagesDuplicated} messages applied twice</Check>
      {known && (
        <Check ok={before === after}>
          state {before === after ? "identical" : "differs"} before and after
          <code>{before.slice(0, 16)}</code>
          {before !== after && <code>{after.slice(0, 16)}</code>}
        </Check>
      )}
      {receipt.outcome === "completed" && <Check ok>one owner, epoch {receipt.epoch}</Check>}
    </ul>
  );
}

function Check({ ok, children }: { ok: boolean; children: preact.ComponentChildren }) {
  return (
    <li class={ok ? "ok" : "failed"}>
      <span aria-hidden="true">{ok ? "✓" : "×"}</span>
      <span class="hidden-text">{ok ? "Holds: " : "Broken: "}</span>
      {children}
    </li>
  );
}
