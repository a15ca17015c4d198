/** A simulation as one self-contained page: nothing is loaded; the data and the engine are inside. */
import { DEFAULT_PARAMETERS, type PlacementParameters } from "../decide/types.js";
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import { STEP_MS } from "../simulate/engine-player.js";
import type { PolicyName } from "../simulate/parameters.js";
import type { SimulatedTrace } from "../simulate/scenario.js";
import type { RoomRun, SimulationReport } from "../simulate/simulate.js";
import { embed } from "./embedding.js";

/** Rooms shown. */
const MAX_ROOMS = 20;

export interface PageMove {
  step: number;
  from: string;
  to: string;
  text: string;
}

export interface PageRoom {
  room: number;
  scenario: SimulatedTrace;
  /** By policy: steps at which it is on another host than before. */
  paths: Partial<Record<PolicyName, [step: number, host: number][]>>;
  /** Of the engine. */
  moves: PageMove[];
}

/** All that the page's script needs. */
export interface PageData extends SimulationReport {
  engine: PlacementParameters;
  slices: { name: string; labels: readonly string[]; rttMs: readonly number[] }[];
  /** x, y of each node on the map of latency, ms. */
  places: readonly number[];
  rooms: PageRoom[];
}

/** Collects runs (`add` is the `onRun` of `simulate`), then renders them. */
export class SimulationPage {
  readonly #rooms = new Map<number, PageRoom>();

  add = ({ room, trace, policy, path, decisions }: RoomRun): void => {
    let shown = this.#rooms.get(room);
    if (shown === undefined) {
      if (this.#rooms.size >= MAX_ROOMS) return;
      shown = { room, scenario: trace.scenario, paths: {}, moves: [] };
      this.#rooms.set(room, shown);
    }
    shown.paths[policy] = changes(path);
    for (const { atMs, fromHostId, toHostId, text } of decisions)
      shown.moves.push({ step: atMs / STEP_MS, from: fromHostId ?? "", to: toHostId ?? "", text });
  };

  /**
   * @param slices that were simulated, each with a name to show
   * @param script of the page, `@centroid/placement/page.js` as text
   * @param engine parameters of the engine that differ from the defaults
   * @returns HTML
   */
  render(
    report: SimulationReport,
    slices: readonly (RttMatrix & { name: string })[],
    script: string,
    engine: Partial<PlacementParameters> = {},
  ): string {
    const data: PageData = {
      ...report,
      engine: { ...DEFAULT_PARAMETERS, ...engine },
      slices: slices.map(({ name, labels, rttMs }) => ({ name, labels, rttMs: [...rttMs] })),
      places: Array.from(embed(slices), (ms) => Math.round(ms * 10) / 10),
      rooms: [...this.#rooms.values()],
    };
    return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Centroid: placement against the optimum</title>
<body>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>
<script>${inScript(script)}</script>
</body>
</html>
`;
  }
}

/** A program of ours that cannot end the element it is in. Data of others is written without any `<`. */
const inScript = (text: string): string =>
  text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");

function changes(path: Int32Array): [number, number][] {
  const points: [number, number][] = [];
  path.forEach((host, step) => {
    if (step === 0 || host !== path[step - 1]) points.push([step, host]);
  });
  return points;
}
