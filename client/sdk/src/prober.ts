/** Measures round trips to beacons: a few echoes per host and round, over connections kept while rounds follow soon. */
import type { Beacon, ProbeReport } from "@centroid/protocol";
import { BeaconLine } from "./beacon-line.js";

/** Echoes that count, per host and round. */
const ECHOES = 3;
/** Rounds of a player that moves are seconds apart; one that stays put need not hold connections to hosts. */
const KEEP_MS = 12_000;

interface Kept {
  readonly line: BeaconLine;
  idle: ReturnType<typeof setTimeout> | undefined;
}

export class Prober implements Disposable {
  /** By the beacon's URL. */
  readonly #kept = new Map<string, Kept>();
  #disposed = false;

  /** Probes every beacon at the same time. A host that cannot be reached is reported as lost probes. */
  async measure(beacons: readonly Pick<Beacon, "hostId" | "url">[]): Promise<ProbeReport[]> {
    return Promise.all(beacons.map((beacon) => this.#probe(beacon)));
  }

  /** Lets go of all connections; a round that is under way ends at once, with losses. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const url of [...this.#kept.keys()]) this.#drop(url);
  }

  async #probe({ hostId, url }: Pick<Beacon, "hostId" | "url">): Promise<ProbeReport> {
    const kept = this.#kept.get(url);
    clearTimeout(kept?.idle);
    // A kept connection may have died unseen, with the player's old network: that says nothing of the host.
    const rttsMs = (kept && (await this.#echoes(kept.line))) ?? (await this.#echoes(this.#dial(url)));
    if (rttsMs?.length === ECHOES) this.#keep(url);
    else this.#drop(url);
    return { hostId, rttsMs: rttsMs ?? [], lost: ECHOES - (rttsMs?.length ?? 0) };
  }

  /** @returns the round trips of the echoes that were answered; undefined if none was */
  async #echoes(line: BeaconLine): Promise<number[] | undefined> {
    const rttsMs: number[] = [];
    try {
      if (line.fresh) await line.echo();
      for (let echo = 0; echo < ECHOES; echo++) {
        const rttMs = await line.echo();
        if (rttMs !== undefined) rttsMs.push(rttMs);
      }
    } catch {
      // What did not come counts as lost.
    }
    return rttsMs.length > 0 ? rttsMs : undefined;
  }

  #dial(url: string): BeaconLine {
    this.#drop(url);
    const line = new BeaconLine(url);
    if (this.#disposed) line.close();
    this.#kept.set(url, { line, idle: undefined });
    return line;
  }

  #keep(url: string): void {
    const kept = this.#kept.get(url);
    if (kept === undefined) return;
    clearTimeout(kept.idle);
    kept.idle = setTimeout(() => this.#drop(url), KEEP_MS);
  }

  #drop(url: string): void {
    const kept = this.#kept.get(url);
    this.#kept.delete(url);
    clearTimeout(kept?.idle);
    kept?.line.close();
  }
}
