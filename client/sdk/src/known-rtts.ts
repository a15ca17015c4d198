/** What this client measured lately, for the next room it asks for: whoever joins must not wait for what it knows. */
import type { ProbeReport } from "@centroid/protocol";

/** A player that was elsewhere since then is measured anew in its room. */
const KEEP_MS = 10 * 60_000;

export class KnownRtts {
  readonly #byHost = new Map<string, { report: ProbeReport; atMs: number }>();

  /** Newer measurements of a host take the place of older ones; a host that did not answer is forgotten. */
  add(reports: readonly ProbeReport[], nowMs: number): void {
    for (const report of reports) {
      if (report.rttsMs.length > 0) this.#byHost.set(report.hostId, { report, atMs: nowMs });
      else this.#byHost.delete(report.hostId);
    }
  }

  reports(nowMs: number): ProbeReport[] {
    return [...this.#byHost.values()].flatMap(({ report, atMs }) => (nowMs - atMs < KEEP_MS ? [report] : []));
  }

  /** The player is elsewhere. */
  clear(): void {
    this.#byHost.clear();
  }
}
