/**
 * What to measure next for a room: the player and host whose answer is worth most.
 *
 * A host's J is a distribution while some of its players' round trips are estimates. The value of measuring it is by
 * how much it is expected to beat the best host that everybody has measured (expected improvement: Mockus 1975), per
 * root of the players still to be asked. When nothing is expected to improve, the same is asked again with estimates
 * that may be farther off than they look, and last of all with plain luck, until no lucky J beats the best one.
 */

import type { HostTable } from "../decide/host-table.js";
import { hostCostMs, type ObjectiveParameters, score, worstShare } from "../decide/objective.js";
import { weightsInOrder } from "../decide/player-weights.js";
import type { HostView, PlacementParameters, RoomView } from "../decide/types.js";
import { workTimeAt } from "../decide/work.js";
import { factorOf } from "../latency/kriging.js";
import { measuredAt, measuredP50Ms, spreadOf } from "../latency/player-model.js";
import { normalDraw } from "../random/normal-draws.js";

export interface Confirmation {
  hostId: string;
  playerId: string;
}

/** Of many hosts only the likeliest are worth a probe; their number bounds the work. */
const SHORTLIST = 24;
/** Draws of J per host: the choice among hosts is no better with three times as many. */
const DRAWS = 32;
/** What estimates may be off, in standard deviations' multiples, one after the other. */
const WIDENINGS = [1, 1.3, 1.6];
/** An improvement below this is not worth a probe, ms. */
const LEAST_VALUE_MS = 0.01;
/** No round trip is drawn below this share of its estimate. */
const LEAST_SHARE = 0.3;

/** Before any host is measured by everybody, the best by estimate is worth most; no J is above this. */
const UNMEASURED_MS = 1_000_000;

interface Prospect {
  host: HostView;
  /** Beside its players' latency, ms. */
  hostMs: number;
  slot: number;
  /** By player: estimate or measurement, and the estimate's standard deviation, 0 if measured. */
  meansMs: Float64Array;
  errorsMs: Float64Array;
  unmeasured: number;
}

interface Asked {
  playerIds: readonly string[];
  mayAsk: readonly boolean[];
  isUnreached: (playerId: string, hostId: string) => boolean;
  weights: Float64Array | undefined;
  objective: PlacementParameters & ObjectiveParameters;
  /** Scratch, one number per player. */
  rtts: Float64Array;
}

/**
 * @param budget confirming probes a player may still make
 * @param isUnreached true for a host that has answered none of a player's probes
 * @returns undefined when nothing that may still be measured can change the choice
 */
export function nextConfirmation(
  room: RoomView,
  hosts: HostTable,
  parameters: PlacementParameters,
  budget: (playerId: string) => number,
  isUnreached: (playerId: string, hostId: string) => boolean = () => false,
): Confirmation | undefined {
  const { map } = hosts;
  // In one order, so that who joined first changes nothing.
  const known = [...room.playerIds].sort().flatMap((playerId) => {
    const model = map.model(playerId);
    return model === undefined ? [] : [{ playerId, model, factor: factorOf(model) }];
  });
  const mayAsk = known.map(({ playerId }) => budget(playerId) > 0);
  if (!mayAsk.includes(true)) return undefined;
  const playerIds = known.map(({ playerId }) => playerId);
  const asked: Asked = {
    playerIds,
    mayAsk,
    isUnreached,
    weights: weightsInOrder({ weights: room.weights, playerIds }),
    objective: { ...parameters, objective: room.objective ?? parameters.objective },
    rtts: new Float64Array(known.length),
  };
  const here = room.hostId === undefined ? [] : [room.hostId];
  const { best, named } = hosts.search(room, parameters, SHORTLIST, here);
  const scale = map.errorScale;
  const looked = new Map([...best, ...named].map((candidate) => [candidate.hostId, candidate]));
  const prospects = [...looked.values()].flatMap(({ hostId, tieMs = 0 }): Prospect[] => {
    const host = hosts.get(hostId);
    if (host === undefined) return [];
    const slot = map.hostSlot(hostId);
    const meansMs = new Float64Array(known.length);
    const errorsMs = new Float64Array(known.length);
    let unmeasured = 0;
    known.forEach(({ model, factor }, i) => {
      const at = measuredAt(model, slot);
      const meanMs = at < 0 ? map.unmeasuredMs(model, slot) : measuredP50Ms(model, at);
      meansMs[i] = meanMs;
      if (at >= 0) return;
      errorsMs[i] = scale * spreadOf(model) * map.errorMs(model, factor, slot, meanMs);
      unmeasured++;
    });
    const hostMs = hostCostMs(host, asked.objective, workTimeAt(host, room)) + tieMs;
    return [{ host, hostMs, slot, meansMs, errorsMs, unmeasured }];
  });
  let incumbentMs = Number.POSITIVE_INFINITY;
  for (const { hostMs, meansMs, unmeasured } of prospects)
    if (unmeasured === 0) incumbentMs = Math.min(incumbentMs, scoreMs(meansMs, hostMs, asked));
  for (const widening of WIDENINGS) {
    const next = mostImproving(prospects, incumbentMs, widening, asked);
    if (next !== undefined) return next;
  }
  return luckiest(prospects, incumbentMs, parameters.optimism, asked);
}

const scoreMs = (rtts: Float64Array, hostMs: number, { weights, objective }: Asked): number =>
  score(rtts, weights, hostMs, objective).scoreMs;

function mostImproving(
  prospects: readonly Prospect[],
  incumbentMs: number,
  widening: number,
  asked: Asked,
): Confirmation | undefined {
  let most = LEAST_VALUE_MS;
  let choice: Confirmation | undefined;
  for (const prospect of prospects) {
    if (prospect.unmeasured === 0) continue;
    const { valueMs, playerId } = improvement(prospect, incumbentMs, widening, asked);
    if (playerId === undefined || !(valueMs > most)) continue;
    most = valueMs;
    choice = { hostId: prospect.host.hostId, playerId };
  }
  return choice;
}

/** What measuring a host is worth, ms, and the player whose answer tells most of it. */
function improvement(
  { host, hostMs, slot, meansMs, errorsMs, unmeasured }: Prospect,
  incumbentMs: number,
  widening: number,
  asked: Asked,
): { valueMs: number; playerId: string | undefined } {
  const { rtts, mayAsk, playerIds, objective } = asked;
  const worst = new Float64Array(rtts.length);
  let sumMs = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    let worstAt = 0;
    for (let i = 0; i < rtts.length; i++) {
      const meanMs = meansMs[i] ?? 0;
      const errorMs = errorsMs[i] ?? 0;
      rtts[i] =
        errorMs === 0
          ? meanMs
          : Math.max(LEAST_SHARE * meanMs, meanMs + widening * errorMs * normalDraw(slot, i, draw));
      if ((rtts[i] ?? 0) > (rtts[worstAt] ?? 0)) worstAt = i;
    }
    worst[worstAt] = (worst[worstAt] ?? 0) + 1 / DRAWS;
    const drawnMs = scoreMs(rtts, hostMs, asked);
    sumMs += Math.max(0, Math.min(incumbentMs, UNMEASURED_MS) - drawnMs);
  }
  const share = worstShare(objective);
  let most = -1;
  let playerId: string | undefined;
  for (let i = 0; i < rtts.length; i++) {
    const errorMs = errorsMs[i] ?? 0;
    if (errorMs === 0 || mayAsk[i] !== true) continue;
    const tellingMs = errorMs * ((1 - share) / rtts.length + share * (worst[i] ?? 0));
    if (tellingMs <= most || asked.isUnreached(playerIds[i] ?? "", host.hostId)) continue;
    most = tellingMs;
    playerId = playerIds[i];
  }
  return { valueMs: sumMs / DRAWS / Math.sqrt(unmeasured), playerId };
}

/** The host that would be best if every estimate were `optimism` deviations too high, if it beats the incumbent. */
function luckiest(
  prospects: readonly Prospect[],
  incumbentMs: number,
  optimism: number,
  asked: Asked,
): Confirmation | undefined {
  let least = incumbentMs;
  let choice: Confirmation | undefined;
  for (const { host, hostMs, meansMs, errorsMs, unmeasured } of prospects) {
    if (unmeasured === 0) continue;
    let ask = -1;
    for (let i = 0; i < meansMs.length; i++) {
      const errorMs = errorsMs[i] ?? 0;
      asked.rtts[i] = Math.max(0, (meansMs[i] ?? 0) - optimism * errorMs);
      const isTelling = errorMs > 0 && errorMs > (ask < 0 ? 0 : (errorsMs[ask] ?? 0));
      if (!isTelling || asked.mayAsk[i] !== true) continue;
      if (!asked.isUnreached(asked.playerIds[i] ?? "", host.hostId)) ask = i;
    }
    const playerId = asked.playerIds[ask];
    const luckyMs = scoreMs(asked.rtts, hostMs, asked);
    if (playerId === undefined || luckyMs >= least) continue;
    least = luckyMs;
    choice = { hostId: host.hostId, playerId };
  }
  return choice;
}
