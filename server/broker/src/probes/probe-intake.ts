/** Takes players' measurements in, tells which to make next and when. What is not believed is never used. */
import type { JoinHints, Location, ProbeReport, ProbeResponse } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlayerEntry, PlayerRegistry } from "./player-registry.js";

/** A player that moves is followed closely, one that stays put costs little. */
const MIN_INTERVAL_MS = 2_000;
const MAX_INTERVAL_MS = 30_000;
const BACK_OFF = 1.5;

export type Rejected = ProbeResponse["rejected"];

export class ProbeIntake {
  readonly #engine: PlacementEngine;
  readonly #players: PlayerRegistry;
  readonly #clock: Clock;
  readonly #newId: NewId;
  readonly #share: (player: PlayerEntry, reports: readonly ProbeReport[]) => void;

  /** @param share tells the other brokers what a player measured */
  constructor(
    engine: PlacementEngine,
    players: PlayerRegistry,
    clock: Clock,
    newId: NewId,
    share: (player: PlayerEntry, reports: readonly ProbeReport[]) => void,
  ) {
    this.#share = share;
    this.#engine = engine;
    this.#players = players;
    this.#clock = clock;
    this.#newId = newId;
  }

  /** The player says where it is. @returns true if that is news */
  locate(player: PlayerEntry, location: Location | undefined, network: string | undefined): boolean {
    if (network !== undefined) player.network = network;
    const before = player.location;
    const moved =
      location !== undefined &&
      (before?.latitude !== location.latitude || before.longitude !== location.longitude);
    if (moved) player.location = location;
    this.#engine.upsertPlayer(player.playerId, player.location);
    return moved;
  }

  /** What a player of this broker measured. @returns what was not used and why */
  take(player: PlayerEntry, reports: readonly ProbeReport[], moved: boolean): Rejected {
    this.#share(player, reports);
    return this.heard(player, reports, moved);
  }

  /** The same, from a player of another broker. */
  heard(player: PlayerEntry, reports: readonly ProbeReport[], moved: boolean): Rejected {
    const rejected = new Map<string, string>();
    const atMs = this.#clock.now();
    let changed = moved;
    for (const { hostId, rttsMs, lost } of reports) {
      for (const rttMs of [...rttsMs, ...new Array<undefined>(lost).fill(undefined)]) {
        const verdict = this.#engine.addProbe(player.playerId, hostId, atMs, rttMs);
        if (!verdict.accepted) rejected.set(hostId, verdict.reason);
        else if (verdict.pathChanged) changed = true;
      }
    }
    player.intervalMs =
      changed || player.intervalMs === 0
        ? MIN_INTERVAL_MS
        : Math.min(MAX_INTERVAL_MS, player.intervalMs * BACK_OFF);
    return [...rejected].map(([hostId, reason]) => ({ hostId, reason }));
  }

  /** A newcomer's hints, and its party's: each member counts as a player of its own for the placement. */
  hints(player: PlayerEntry, hints: JoinHints): { rejected: Rejected; party: PlayerEntry[] } {
    const moved = this.locate(player, hints.location, hints.network);
    const rejected = this.take(player, hints.probes, moved);
    const party = (hints.party ?? []).map(({ probes, location }) => {
      // Of this request only: an id that could be foretold might be some player's.
      const member = this.#players.of(this.#newId());
      member.joining++;
      this.take(member, probes, this.locate(member, location, undefined));
      return member;
    });
    return { rejected, party };
  }
}
