/**
 * Measures round trips to beacons: a few echoes per host and round, over connections kept while rounds follow soon. The
 * player's own host is measured in each round: its connection is kept from round to round.
 */
import { BEACON_PATH, type Beacon, type GatewayReport, type ProbeReport } from "@centroid/protocol";
import { BeaconLine } from "./beacon-line.js";
import { socketOrigin } from "./way.js";

/** Echoes that count, per host and round. */
const ECHOES = 3;
/** Rounds of a player that moves are seconds apart; one that stays put need not hold connections to hosts. */
const KEEP_MS = 12_000;
/** Longer than the pause between two rounds, shorter than beacons and home routers keep a connection that is idle. */
const KEEP_OWN_MS = 45_000;

/** Somebody who waits is answered when so many hosts have, and a little later: the next may be as near. */
const NEAREST = 3;
const PATIENCE = 0.5;

type Target = Pick<Beacon, "hostId" | "url">;

interface Kept {
  readonly line: BeaconLine;
  idle: ReturnType<typeof setTimeout> | undefined;
}

export class Prober implements Disposable {
  /** By the beacon's URL. */
  readonly #kept = new Map<string, Kept>();
  #disposed = false;

  /**
   * Probes every beacon at the same time. A host that cannot be reached is reported as lost probes.
   * @param ownHostId the host that will be measured in the next round, too
   */
  async measure(beacons: readonly Target[], ownHostId?: string): Promise<ProbeReport[]> {
    return Promise.all(
      beacons.map((beacon) => this.#probe(beacon, [], beacon.hostId === ownHostId ? KEEP_OWN_MS : KEEP_MS)),
    );
  }

  /**
   * The same for somebody who waits: answers once the nearest hosts are known, with what there is of the others.
   * A host that does not answer, or is far away, holds nobody up.
   */
  async measureSoon(beacons: readonly Target[]): Promise<ProbeReport[]> {
    const rounds = beacons.map((beacon) => {
      const rttsMs: number[] = [];
      return { hostId: beacon.hostId, rttsMs, done: this.#probe(beacon, rttsMs) };
    });
    const reports = new Map<string, ProbeReport>();
    for (const { hostId, done } of rounds) void done.then((report) => reports.set(hostId, report));
    await nearestKnown(rounds.map(({ done }) => done));
    return rounds.flatMap(
      ({ hostId, rttsMs }) =>
        reports.get(hostId) ?? (rttsMs.length > 0 ? [{ hostId, rttsMs: [...rttsMs], lost: 0 }] : []),
    );
  }

  /** Probes gateways, each of which says who it is; one that does not answer is left out. */
  async measureGateways(origins: readonly string[]): Promise<(GatewayReport & { origin: string })[]> {
    const measured = await Promise.all(
      origins.map(async (origin) => {
        const url = `${socketOrigin(origin)}${BEACON_PATH}`;
        const { rttsMs } = await this.#probe({ hostId: origin, url }, []);
        const gatewayId = this.#kept.get(url)?.line.answeredBy;
        return gatewayId === undefined || rttsMs.length === 0 ? [] : [{ origin, gatewayId, rttsMs }];
      }),
    );
    return measured.flat();
  }

  /** Lets go of all connections; a round that is under way ends at once, with losses. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const url of [...this.#kept.keys()]) this.#drop(url);
  }

  async #probe({ hostId, url }: Target, rttsMs: number[], keepMs = KEEP_MS): Promise<ProbeReport> {
    const kept = this.#kept.get(url);
    clearTimeout(kept?.idle);
    // A kept connection may have died unseen, with the player's old network: that says nothing of the host.
    if (kept !== undefined) await this.#echoes(kept.line, rttsMs);
    if (rttsMs.length === 0) await this.#echoes(this.#dial(url), rttsMs);
    if (rttsMs.length === ECHOES) this.#keep(url, keepMs);
    else this.#drop(url);
    return { hostId, rttsMs, lost: ECHOES - rttsMs.length };
  }

  /** Adds the round trips of the echoes that are answered, as they come. */
  async #echoes(line: BeaconLine, rttsMs: number[]): Promise<void> {
    try {
      if (line.fresh) await line.echo();
      for (let echo = 0; echo < ECHOES; echo++) {
        const rttMs = await line.echo();
        if (rttMs !== undefined) rttsMs.push(rttMs);
      }
    } catch {
      // What did not come counts as lost.
    }
  }

  #dial(url: string): BeaconLine {
    this.#drop(url);
    const line = new BeaconLine(url);
    if (this.#disposed) line.close();
    this.#kept.set(url, { line, idle: undefined });
    return line;
  }

  #keep(url: string, forMs: number): void {
    const kept = this.#kept.get(url);
    if (kept === undefined) return;
    clearTimeout(kept.idle);
    kept.idle = setTimeout(() => this.#drop(url), forMs);
  }

  #drop(url: string): void {
    const kept = this.#kept.get(url);
    this.#kept.delete(url);
    clearTimeout(kept?.idle);
    kept?.line.close();
  }
}

/** Until enough hosts have answered, and half as long again; or all are done. */
function nearestKnown(rounds: readonly Promise<ProbeReport>[]): Promise<void> {
  return new Promise((resolve) => {
    if (rounds.length === 0) resolve();
    const startedAtMs = performance.now();
    let left = rounds.length;
    let heard = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    for (const done of rounds) {
      void done.then(({ rttsMs }) => {
        if (rttsMs.length > 0) heard++;
        if (--left === 0) {
          clearTimeout(timer);
          resolve();
        } else if (heard === NEAREST) {
          // From here on the others are farther away, by as much as they are late.
          timer ??= setTimeout(resolve, PATIENCE * (performance.now() - startedAtMs));
        }
      });
    }
  });
}
