/** What goes into the latency map and what comes out of it, as plain data. */
import type { Place } from "./geodesic.js";

export interface HostPlace extends Place {
  hostId: string;
}
export interface PlayerPlace extends Partial<Place> {
  playerId: string;
}
export type Probe =
  | { playerId: string; hostId: string; atMs: number; rttMs: number }
  | { playerId: string; hostId: string; atMs: number; lost: true };
export type ProbeRejection =
  | "negative"
  | "implausible"
  | "not-finite"
  | "below-geodesic"
  | "unknown-host"
  | "unknown-player";
export type ProbeVerdict =
  | { accepted: true; pathChanged: boolean }
  | { accepted: false; reason: ProbeRejection };

export interface Estimate {
  source: "measured" | "coordinate" | "geodesic";
  p50Ms: number;
  p95Ms: number;
  jitterMs: number;
  loss: number;
  samples: number;
  /** 0..1; 1 is a well-measured pair. */
  confidence: number;
  /** How far off p50 may well be, ms (about one standard deviation). */
  errorMs: number;
}
