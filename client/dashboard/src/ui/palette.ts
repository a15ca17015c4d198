/** The canvas' colours and the grades of latency, read from the style sheet so that both themes stay in one place. */
import type { HostState } from "@centroid/protocol";

export type Grade = "good" | "fair" | "poor" | "unknown";

/** Below it a shared space feels immediate. */
const GOOD_MS = 60;
/** Above it people notice that they wait for each other. */
const POOR_MS = 120;

export function gradeOf(rttMs: number | undefined): Grade {
  if (rttMs === undefined) return "unknown";
  if (rttMs < GOOD_MS) return "good";
  return rttMs < POOR_MS ? "fair" : "poor";
}

export const GRADE_WORDS: Record<Grade, string> = {
  good: `under ${GOOD_MS} ms`,
  fair: `${GOOD_MS}–${POOR_MS} ms`,
  poor: `over ${POOR_MS} ms`,
  unknown: "not measured",
};

export interface Palette {
  readonly sea: string;
  readonly land: string;
  readonly coast: string;
  readonly graticule: string;
  readonly ink: string;
  readonly paper: string;
  readonly room: string;
  readonly grade: Record<Grade, string>;
  readonly state: Record<HostState, string>;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    sea: read("sea"),
    land: read("land"),
    coast: read("coast"),
    graticule: read("graticule"),
    ink: read("ink"),
    paper: read("panel"),
    room: read("room"),
    grade: {
      good: read("good"),
      fair: read("fair"),
      poor: read("poor"),
      unknown: read("unknown"),
    },
    state: { active: read("active"), draining: read("draining"), lost: read("lost") },
  };
}
