/** What the signs on the map mean, in words. */
import { GRADE_WORDS } from "../ui/palette.js";

export function Legend() {
  return (
    <details class="legend" open={matchMedia("(min-width: 900px)").matches}>
      <summary>Legend</summary>
      <ul>
        <li>
          <Cloud state="active" />
          active host, with its rooms
        </li>
        <li>
          <Cloud state="draining" />
          draining
        </li>
        <li>
          <Cloud state="lost" />
          lost
        </li>
        <li>
          <svg width="26" height="14" aria-hidden="true">
            <circle class="legend-room" cx="6" cy="7" r="4.6" />
            <path class="legend-host-line" d="M12 7 H26" />
          </svg>
          room, line to its host
        </li>
        {(["good", "fair", "poor"] as const).map((grade) => (
          <li key={grade}>
            <svg width="26" height="14" class={`grade-${grade}`} aria-hidden="true">
              <circle cx="5" cy="7" r="3" fill="currentColor" />
              <path
                d="M9 7 H26"
                stroke="currentColor"
                stroke-width="2"
                stroke-dasharray={grade === "poor" ? "6 3" : ""}
              />
            </svg>
            player, {GRADE_WORDS[grade]}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Cloud({ state }: { state: "active" | "draining" | "lost" }) {
  return (
    <svg
      width="26"
      height="18"
      viewBox="-14 -9 28 19"
      class={`legend-cloud state-${state}`}
      aria-hidden="true"
    >
      <path d="M-8.5 8.5 A5.6 5.6 0 0 1 -9.6 -2.6 A7.6 7.6 0 0 1 3.6 -6.6 A6 6 0 0 1 10.4 -1.6 A5.2 5.2 0 0 1 9.4 8.5 Z" />
      {state === "draining" && <path class="legend-sign" d="M-4 2 H4 M1 -1 L4 2 L1 5" />}
      {state === "lost" && <path class="legend-sign" d="M-3 -1 L3 5 M3 -1 L-3 5" />}
    </svg>
  );
}
