/** States as sign and word: colour only underlines them. */
import type { HostState, RoomState } from "@centroid/protocol";
import { formatMs, formatPercent } from "./format.js";
import { gradeOf } from "./palette.js";

const HOST_SIGNS: Record<HostState, string> = { active: "●", draining: "→", lost: "×" };

export function HostStateBadge({ state }: { state: HostState }) {
  return (
    <span class={`badge state-${state}`}>
      <span class="badge-sign" aria-hidden="true">
        {HOST_SIGNS[state]}
      </span>
      {state}
    </span>
  );
}

const ROOM_TONES: Record<RoomState, HostState> = {
  creating: "draining",
  running: "active",
  migrating: "draining",
  restoring: "draining",
  disposed: "lost",
};

export function RoomStateBadge({ state, locked }: { state: RoomState; locked: boolean }) {
  return (
    <span class={`badge state-${ROOM_TONES[state]}`}>
      <span class="badge-sign" aria-hidden="true">
        {HOST_SIGNS[ROOM_TONES[state]]}
      </span>
      {state}
      {locked ? ", locked" : ""}
    </span>
  );
}

/** A round trip with the mark of its grade. */
export function PingBadge({ ms }: { ms: number | undefined }) {
  return (
    <span class={`ping grade-${gradeOf(ms)}`}>
      <span class="ping-mark" aria-hidden="true" />
      {formatMs(ms)}
    </span>
  );
}

export function LoadBar({ load }: { load: number }) {
  return (
    <span class="load">
      <span class="load-bar" aria-hidden="true">
        <span style={{ width: `${Math.round(load * 100)}%` }} />
      </span>
      {formatPercent(load)}
    </span>
  );
}
