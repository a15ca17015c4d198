/** "Why here?": the last decision with every candidate, and regret against its threshold over time. */
import type { Decision } from "@centroid/protocol";
import { hostName } from "../live/derive.js";
import type { DashboardState } from "../live/world.js";
import { formatMs, formatPercent, formatTime } from "../ui/format.js";
import { REACHABLE_BY_KEYS } from "../ui/reachable.js";
import { hostLink } from "../ui/route.js";
import { wayInWords } from "../ui/ways.js";
import { RegretChart } from "./regret-chart.js";
import { standingOf } from "./standing.js";

interface WhyProps {
  /** Newest first. */
  readonly decisions: readonly Decision[];
  readonly world: DashboardState;
}

export function Why({ decisions, world }: WhyProps) {
  const [decision] = decisions;
  if (!decision) return <p class="muted">No evaluation of this room has been heard yet.</p>;
  return (
    <>
      <DecisionView decision={decision} world={world} />
      <h3>Regret of staying, against the cost of a move</h3>
      <RegretChart decisions={decisions} />
    </>
  );
}

export function DecisionView({ decision, world }: { decision: Decision; world: DashboardState }) {
  const candidates = [...decision.candidates].sort((a, b) => a.scoreMs - b.scoreMs);
  const worst = Math.max(1, ...candidates.map((candidate) => candidate.scoreMs).filter(Number.isFinite));
  return (
    <>
      <p class="verdict">
        <span class={`verdict-word verdict-${decision.verdict}`}>{decision.verdict.replace("-", " ")}</span>
        {decision.text}
        <span class="muted"> {formatTime(decision.atMs)}</span>
      </p>
      {decision.ways && (
        <ul class="muted" aria-label="Ways">
          {decision.ways.map((way) => (
            <li key={way.gatewayId ?? ""}>
              {wayInWords(way)}: {way.because}
            </li>
          ))}
        </ul>
      )}
      <div class="table-wide" {...REACHABLE_BY_KEYS}>
        <table class="candidates" aria-label="Candidates">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Score</th>
              <th scope="col" class="numeric">
                Mean
              </th>
              <th scope="col" class="numeric">
                Worst
              </th>
              <th scope="col" class="numeric">
                Load
              </th>
              <th scope="col">Why not</th>
            </tr>
          </thead>
          <tbody>
            {candidates
              .map((candidate) => ({ candidate, standing: standingOf(candidate, decision) }))
              .map(({ candidate, standing }) => (
                <tr key={candidate.hostId} class={standing.chosen ? "chosen" : ""}>
                  <th scope="row">
                    <a href={hostLink(candidate.hostId)}>{hostName(world, candidate.hostId)}</a>
                    <span class="source">{candidate.source}</span>
                  </th>
                  <td>
                    <span class="score">
                      <span class="score-bar" aria-hidden="true">
                        <span style={{ width: `${Math.min(100, (100 * candidate.scoreMs) / worst)}%` }} />
                      </span>
                      {formatMs(candidate.scoreMs)}
                    </span>
                  </td>
                  <td class="numeric">{formatMs(candidate.meanMs)}</td>
                  <td class="numeric">{formatMs(candidate.maxMs)}</td>
                  <td class="numeric">{formatPercent(candidate.load)}</td>
                  <td class="why-not">
                    {standing.chosen ? <strong>✓ {standing.words}</strong> : standing.words}
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
