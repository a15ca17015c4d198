/**
 * When a room moves: regret accumulates while a better host exists, `S += N (J(current) - J(best)) dt`, floored
 * at 0, and the room moves once it has paid for the move's predicted cost. Greedy moves on every wobble, never
 * moves on none; this rule is near the offline optimum for either kind of trace (page migration, Black &
 * Sleator 1989).
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { LONGEST_REMEASURING_MS } from "../latency/player-record.js";
import { CalmWait, worthWaiting } from "./calm.js";
import { explainDecision } from "./explain.js";
import { HostTable } from "./host-table.js";
import { type FinishedMove, MigrationCosts, type MoveCosts } from "./migration-cost.js";
import { SearchMemo } from "./search-memo.js";
import {
  DEFAULT_PARAMETERS,
  type DecisionReason,
  type ExplainedVerdict,
  type HostView,
  type PlacementParameters,
  type RoomView,
  type Verdict,
} from "./types.js";

/** Between two evaluations at most so much regret time counts, s: a paused room must not jump. */
const MAX_STEP_S = 30;
/** Regret is kept of so many of the best hosts; the others are no candidates. */
const CONTENDERS = 4;
/** A host that was among the best keeps its regret while it is among so many that have any. */
const MOST_REGRETTED = 8;

export interface Migrated extends FinishedMove {
  atMs: number;
}

/** One per room. Pure: equal calls give equal verdicts. */
export class RoomPolicy {
  readonly #parameters: PlacementParameters;
  readonly #costs: MoveCosts;
  /** Regret by the host that would have been better, ms.player.s. */
  readonly #regret = new Map<string, number>();
  /** The best of the last evaluation, where the next search starts. */
  #contenders: string[] = [];
  readonly #memo = new SearchMemo();
  #lastAtMs: number | undefined;
  /** Since when a move has waited for players whose path changed. */
  #heldSinceMs: number | undefined;
  readonly #calmWait = new CalmWait();
  #since: { hostId: string; atMs: number } | undefined;
  #carrier: string | undefined;

  /** @param costs shared between rooms, so that all learn from every move */
  constructor(parameters: Partial<PlacementParameters> = {}, costs?: MoveCosts) {
    this.#parameters = { ...DEFAULT_PARAMETERS, ...parameters };
    this.#costs = costs ?? new MigrationCosts(this.#parameters);
  }

  /** Whether the room should move now. To be called whenever something changed, and now and then while regret grows. */
  evaluate(room: RoomView, hosts: HostTable, atMs: number): Verdict {
    const p = this.#parameters;
    const names = room.hostId === undefined ? [] : [room.hostId];
    names.push(...this.#contenders, ...this.#regret.keys());
    const { best: contenders, named } = hosts.search(room, p, CONTENDERS, names, this.#memo);
    this.#contenders = contenders.map(({ hostId }) => hostId);
    const [best] = contenders;
    const current = named.find(({ hostId }) => hostId === room.hostId);
    for (const candidate of named) if (!contenders.includes(candidate)) contenders.push(candidate);
    const stepS = Math.min(MAX_STEP_S, Math.max(0, (atMs - (this.#lastAtMs ?? atMs)) / 1000));
    this.#lastAtMs = atMs;
    this.#carrier = room.carrier;
    if (room.hostId !== undefined && this.#since?.hostId !== room.hostId) {
      // The time between two moves: a new room has made none, and where it started may have been a guess.
      const isNew = this.#since === undefined;
      this.#since = { hostId: room.hostId, atMs: isNew ? Number.NEGATIVE_INFINITY : atMs };
      this.#regret.clear();
      this.#calmWait.over();
    }
    let freeze: Verdict["freeze"];
    const decide = (
      verdict: Verdict["verdict"],
      reason: DecisionReason,
      to?: string,
      regret = 0,
      threshold = 0,
    ): Verdict => ({
      roomId: room.roomId,
      atMs,
      verdict,
      reason,
      ...(room.hostId !== undefined && { fromHostId: room.hostId }),
      ...(to !== undefined && { toHostId: to }),
      regret,
      threshold,
      gainMs: best === undefined || current === undefined ? 0 : current.scoreMs - best.scoreMs,
      ...(freeze !== undefined && { freeze }),
      contenders,
    });
    if (best === undefined) return decide("no-host", "no-host");
    if (room.hostId === undefined || current === undefined) return decide("place", "placed", best.hostId);
    if (current.rejected === "draining" && best !== current) return decide("move", "drain", best.hostId);
    if (current.rejected === "lost" && best !== current) return decide("move", "evacuate", best.hostId);
    const players = room.playerIds.length;
    if (players === 0) return decide("stay", "no-players");

    for (const candidate of contenders) {
      if (candidate === current || candidate.rejected !== undefined) {
        this.#regret.delete(candidate.hostId);
        continue;
      }
      const regret =
        (this.#regret.get(candidate.hostId) ?? 0) + players * (current.scoreMs - candidate.scoreMs) * stepS;
      if (regret > 0) this.#regret.set(candidate.hostId, regret);
      else this.#regret.delete(candidate.hostId);
    }
    this.#forgetLeast();
    if (best === current) {
      this.#heldSinceMs = undefined;
      this.#calmWait.over();
      return decide("stay", "best");
    }
    const held = this.#isHeld(atMs);
    const regret = this.#regret.get(best.hostId) ?? 0;
    const { carrier, hostId: fromHostId, activity } = room;
    const price = this.#costs.price({ carrier, fromHostId, toHostId: best.hostId, players, activity });
    const threshold = (p.regretFactor * price.cost) / 1000;
    if (activity !== undefined)
      freeze = { expectedMs: price.freezeMs, activity, waitedMs: this.#calmWait.waitedMs(atMs) };
    const dwelledMs = atMs - (this.#since?.atMs ?? atMs);
    const stay = (reason: DecisionReason): Verdict => decide("stay", reason, best.hostId, regret, threshold);
    if (dwelledMs < p.minDwellMs) return stay("dwell");
    if (held) return stay("remeasuring");
    if (best.measuredShare < p.confirmedShare) return stay("unconfirmed");
    const gainMs = current.scoreMs - best.scoreMs;
    if (gainMs < p.noiseMargin * Math.hypot(current.errorMs, best.errorMs)) return stay("gain-too-small");
    const go = (reason: DecisionReason): Verdict => {
      const worth = worthWaiting(price, activity, p.regretFactor);
      if (this.#calmWait.holds(atMs, players * gainMs, stepS, worth)) return stay("awaiting-calm");
      return decide("move", reason, best.hostId, regret, threshold);
    };
    if (current.capStage > best.capStage && regret >= threshold) return go("cap");
    const overloaded = current.load > p.overload && best.load < p.overload;
    if (gainMs < p.minGain * current.scoreMs) return stay("gain-too-small");
    if (regret < threshold) return stay("regret-too-small");
    return go(overloaded ? "load" : "latency");
  }

  /** The room has moved: regret starts anew, the cost is learned. */
  migrated(receipt: Migrated): void {
    this.#regret.clear();
    this.#calmWait.over();
    this.#since = { hostId: receipt.toHostId, atMs: receipt.atMs };
    this.#costs.learn(receipt, this.#carrier);
  }

  /**
   * Whether to wait for somebody whose path has just changed: from one landmark its estimates would send the room to
   * one host and then to another. Players who keep changing hold it no longer than one.
   */
  #isHeld(atMs: number): boolean {
    // Where estimates alone suffice nobody is waited for.
    const isWaited = this.#parameters.confirmedShare > 0 && this.#memo.isRemeasuring(atMs);
    this.#heldSinceMs = isWaited ? (this.#heldSinceMs ?? atMs) : undefined;
    return this.#heldSinceMs !== undefined && atMs - this.#heldSinceMs < LONGEST_REMEASURING_MS;
  }

  #forgetLeast(): void {
    while (this.#regret.size > MOST_REGRETTED) {
      let least: string | undefined;
      for (const [hostId, regret] of this.#regret)
        if (least === undefined || regret < (this.#regret.get(least) ?? 0)) least = hostId;
      if (least === undefined) return;
      this.#regret.delete(least);
    }
  }
}

/**
 * Where a new room starts, for one player or for a party that has not joined yet: every member's id counts, known
 * by what it has measured or, without any measurement, by its place.
 */
export function placeRoom(
  room: Omit<RoomView, "hostId">,
  hosts: Iterable<HostView>,
  map: LatencyMap,
  atMs: number,
  parameters: Partial<PlacementParameters> = {},
): ExplainedVerdict {
  const table = hosts instanceof HostTable ? hosts : new HostTable(map, hosts);
  const view = { ...room, hostId: undefined };
  const verdict = new RoomPolicy(parameters).evaluate(view, table, atMs);
  return explainDecision(verdict, view, table, { ...DEFAULT_PARAMETERS, ...parameters });
}
