/** A simulation as one self-contained page: nothing is loaded, the data is inside. */
import { STEP_MS } from "../simulate/engine-player.js";
import type { PolicyName, RoomRun, SimulationReport } from "../simulate/simulate.js";
import { PAGE_SCRIPT, PAGE_STYLE } from "./assets.js";

/** Rooms shown; each costs some 50 kB of page. */
const MAX_ROOMS = 20;

interface PageRoom {
  room: number;
  scenario: string;
  steps: number;
  hosts: number;
  /** What holds from a step on: players present and ms.player per host. */
  spans: { from: number; players: number; costs: number[] }[];
  /** By policy: steps at which it is on another host than before. */
  paths: Partial<Record<PolicyName, [step: number, host: number][]>>;
  moves: { step: number; from: string; to: string; text: string }[];
}

/** Collects runs (`add` is the `onRun` of `simulate`), then renders them. */
export class SimulationPage {
  readonly #rooms = new Map<number, PageRoom>();

  add = (run: RoomRun): void => {
    let room = this.#rooms.get(run.room);
    if (room === undefined) {
      if (this.#rooms.size >= MAX_ROOMS) return;
      room = newRoom(run);
      this.#rooms.set(run.room, room);
    }
    room.paths[run.policy] = changes(run.path);
    for (const { atMs, fromHostId, toHostId, text } of run.decisions)
      room.moves.push({ step: atMs / STEP_MS, from: fromHostId ?? "", to: toHostId ?? "", text });
  };

  /** @returns HTML */
  render(report: SimulationReport): string {
    const data = JSON.stringify({ ...report, rooms: [...this.#rooms.values()] }).replaceAll("<", "\\u003c");
    return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Placement: policies against the optimum</title>
<style>${PAGE_STYLE}</style>
<h1>Placement: policies against the optimum</h1>
<p id="setting"></p>
<table id="policies"></table>
<h2>One room</h2>
<p><label>Room <select id="room"></select></label></p>
<div id="chart" role="img" aria-label="J over time, one line per policy"></div>
<div id="legend"></div>
<h2>What if</h2>
<p>The move rule with perfect knowledge of this room, for other parameters:</p>
<p><label>regret factor <input id="factor" type="range" min="0" max="3" step="0.05" value="0.4"><output></output></label>
<label>cost of a move <input id="cost" type="range" min="0" max="12000" step="100"><output></output></label>
<label>least gain <input id="gain" type="range" min="0" max="0.3" step="0.01" value="0.02"><output></output></label></p>
<p id="whatif" aria-live="polite"></p>
<h2>Moves of the engine, and why</h2>
<ol id="moves"></ol>
<script>const DATA = ${data};${PAGE_SCRIPT}</script>
</html>
`;
  }
}

function newRoom({ room, trace, table }: RoomRun): PageRoom {
  const spans: PageRoom["spans"] = [];
  for (let step = 0; step < table.steps; step++) {
    const costs = [...table.costs.subarray(step * table.hosts, (step + 1) * table.hosts)];
    const players = table.players[step] ?? 0;
    const before = spans.at(-1);
    if (before?.players === players && costs.every((cost, h) => cost === before.costs[h])) continue;
    spans.push({ from: step, players, costs });
  }
  const { scenario, steps } = trace;
  return { room, scenario, steps, hosts: table.hosts, spans, paths: {}, moves: [] };
}

function changes(path: Int32Array): [number, number][] {
  const points: [number, number][] = [];
  path.forEach((host, step) => {
    if (step === 0 || host !== path[step - 1]) points.push([step, host]);
  });
  return points;
}
