/**
 * Rooms in which some players say much and others watch: what is counted is how long a message is on its way, in the mean
 * over all messages and all who see them.
 */
import type { PlayerTraffic } from "../decide/player-weights.js";
import type { PlacementParameters } from "../decide/types.js";
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import { seededRandom } from "../random/random.js";
import { DEFAULT_SIMULATION, SimulationError, type SimulationParameters } from "./parameters.js";
import { ABSENT, type RoomTrace } from "./scenario.js";
import { movesOf } from "./simulate.js";
import { nodesAt, SimulationStage } from "./stage.js";
import { sliceAt, trueScoreMs } from "./truth.js";

/** `equal`: the engine, for which all players count the same. `weighted`: the engine, which is told what they say and see. */
export const TALKER_POLICIES = ["equal", "weighted"] as const;
export type TalkerPolicy = (typeof TALKER_POLICIES)[number];

export interface TalkerParameters extends SimulationParameters {
  /** Share of the seats whose players say much; where it is 0 or 1 all are alike. */
  talkers: number;
}

export const DEFAULT_TALKERS: TalkerParameters = { ...DEFAULT_SIMULATION, steps: 300, talkers: 0.25 };

export interface TalkerResult {
  policy: TalkerPolicy;
  /** A message's way to whoever sees it, in the mean over steps and rooms, ms. */
  messageMs: number;
  /** J, for which all players count the same, ms. */
  scoreMs: number;
  /** Per room. */
  moves: number;
}

/** Frames a second of who says much and who does not; and that everybody is sent. */
const SAYS_MUCH = 20;
const SAYS_LITTLE = 0.2;
const SEES = 20;
/** Whoever says much is silent for so large a share of the reports. */
const SILENT = 0.15;

/** @throws SimulationError, MatrixError */
export function simulateTalkers(
  slices: readonly RttMatrix[],
  options: Partial<TalkerParameters> = {},
  engine: Partial<PlacementParameters> = {},
): TalkerResult[] {
  const p: TalkerParameters = { ...DEFAULT_TALKERS, ...options };
  if (!(p.talkers >= 0 && p.talkers <= 1))
    throw new SimulationError(`talkers is ${p.talkers}; it must be between 0 and 1`);
  const stage = new SimulationStage(slices, p);
  return TALKER_POLICIES.map((policy) => {
    // Of each its own: what one measures is no help to the other.
    const hosts = stage.trained();
    const sum: Sum = { message: 0, score: 0, steps: 0 };
    let moves = 0;
    for (let index = 0; index < p.rooms; index++) {
      const trace = stage.trace(index);
      const random = seededRandom(p.seed * 12_289 + index);
      const says = Float64Array.from({ length: trace.seats }, () =>
        random.next() < p.talkers ? SAYS_MUCH : SAYS_LITTLE,
      );
      const traffic = (seat: number): PlayerTraffic => {
        const usual = says[seat] ?? 0;
        return { says: usual === SAYS_MUCH && random.next() < SILENT ? 0 : usual, sees: SEES };
      };
      const room = stage.engine(index, hosts, engine, undefined, policy === "weighted" ? { traffic } : {});
      const pingAt = stage.pings(index);
      const path = new Int32Array(p.steps);
      for (let step = 0; step < p.steps; step++)
        path[step] = room.step(step, nodesAt(trace, step), pingAt(step));
      room.close();
      moves += movesOf(path);
      count(stage, trace, says, path, sum);
    }
    return {
      policy,
      messageMs: sum.message / sum.steps,
      scoreMs: sum.score / sum.steps,
      moves: moves / p.rooms,
    };
  });
}

interface Sum {
  message: number;
  score: number;
  steps: number;
}

/** Adds every step in which somebody is there. */
function count(
  stage: SimulationStage,
  trace: RoomTrace,
  says: Float64Array,
  path: Int32Array,
  sum: Sum,
): void {
  for (let step = 0; step < trace.steps; step++) {
    const matrix = sliceAt(stage.slices, step, trace.steps);
    const host = stage.hosts[path[step] ?? 0] ?? 0;
    const at = nodesAt(trace, step);
    let said = 0;
    let saidMs = 0;
    let present = 0;
    let seenMs = 0;
    at.forEach((node, seat) => {
      if (node === ABSENT) return;
      const rttMs = matrix.rttMs[node * matrix.size + host] ?? 0;
      const share = says[seat] ?? 0;
      said += share;
      saidMs += share * rttMs;
      present++;
      seenMs += rttMs;
    });
    if (present === 0) continue;
    sum.message += (saidMs / said + seenMs / present) / 2;
    sum.score += trueScoreMs(matrix, at, host);
    sum.steps++;
  }
}
