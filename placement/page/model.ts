/** What one room of the page shows, recomputed from the raw matrix that is in the page. */
import {
  bestPath,
  type CostTable,
  type PageData,
  type PageMove,
  type PageRoom,
  type PolicyName,
  pathCost,
  type RoomTrace,
  SimulationStage,
} from "@centroid/placement";

export type LineName = PolicyName | "what-if";

/** One policy's way. */
export interface Line {
  name: LineName;
  path: Int32Array;
  /** J of each step, ms; NaN while nobody is there. */
  scoresMs: Float64Array;
  /** Cost of the whole way over the optimum's. */
  ratio: number;
  moves: number;
}

export interface RoomModel {
  room: PageRoom;
  trace: RoomTrace;
  table: CostTable;
  optimum: number;
  lines: Line[];
  moves: readonly PageMove[];
}

export function stageOf(data: PageData): SimulationStage {
  const slices = data.slices.map(({ labels, rttMs }) => ({
    size: labels.length,
    labels,
    rttMs: Float64Array.from(rttMs),
  }));
  return new SimulationStage(slices, data.parameters);
}

export function modelOf(room: PageRoom, stage: SimulationStage): RoomModel {
  const trace = stage.trace(room.room);
  const table = stage.truth(trace);
  const { migrationCost } = stage.parameters;
  const optimum = pathCost(table, bestPath(table, migrationCost), migrationCost);
  const model: RoomModel = { room, trace, table, optimum, lines: [], moves: room.moves };
  for (const [name, points] of Object.entries(room.paths) as [PolicyName, [number, number][]][])
    model.lines.push(lineOf(name, expanded(points, trace.steps), model, migrationCost));
  return model;
}

export function lineOf(
  name: LineName,
  path: Int32Array,
  { table, optimum }: Pick<RoomModel, "table" | "optimum">,
  migrationCost: number,
): Line {
  const scoresMs = Float64Array.from(path, (host, step) => {
    const players = table.players[step] ?? 0;
    return players === 0 ? Number.NaN : (table.costs[step * table.hosts + host] ?? 0) / players;
  });
  let moves = 0;
  path.forEach((host, step) => {
    if (step > 0 && host !== path[step - 1]) moves++;
  });
  return { name, path, scoresMs, ratio: pathCost(table, path, migrationCost) / optimum, moves };
}

function expanded(points: readonly [number, number][], steps: number): Int32Array {
  const path = new Int32Array(steps);
  points.forEach(([step, host], i) => {
    path.fill(host, step, points[i + 1]?.[0] ?? steps);
  });
  return path;
}
