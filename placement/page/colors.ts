/** Colours of policies (Okabe & Ito 2008: told apart by every kind of colour vision) and of round trips. */
import type { LineName } from "./model.js";

export const LINE_COLORS: Record<LineName, string> = {
  centroid: "var(--own)",
  "what-if": "var(--trial)",
  oracle: "var(--ink)",
  "nearest-server": "#999999",
  vote: "#b7791f",
  geomedian: "#8c9a2e",
  mean: "#009e73",
  minimax: "#cc79a7",
  gamelift: "#56b4e9",
  "greedy-assignment": "#a0522d",
  "core-selection": "#5f6b7a",
  "request-region": "#b39ddb",
  fastest: "#c2527a",
  "lowest-load": "#4f7f6a",
  "latency-only": "#3b6ea5",
  greedy: "#d55e00",
  never: "#7a6ff0",
};

export const WORDS: Record<LineName, string> = {
  centroid: "centroid",
  "what-if": "what if",
  oracle: "optimum in hindsight",
  "nearest-server": "nearest server",
  vote: "plurality vote",
  geomedian: "geometric median",
  mean: "lowest mean",
  minimax: "least worst",
  gamelift: "staged caps (GameLift)",
  "greedy-assignment": "greedy assignment (Zhang & Tang)",
  "core-selection": "core selection (Beskow et al.)",
  "request-region": "home follows last writer (Akka)",
  fastest: "fastest host",
  "lowest-load": "host that does least",
  "latency-only": "centroid by latency alone",
  greedy: "always the best now",
  never: "best start, never moves",
};

const GOOD_MS = 50;
const FAIR_MS = 100;

export const rttColor = (ms: number): string =>
  ms <= GOOD_MS ? "var(--good)" : ms <= FAIR_MS ? "var(--fair)" : "var(--poor)";
