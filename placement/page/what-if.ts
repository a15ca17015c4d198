/**
 * The engine again, here, under other parameters: the shown room alone, on hosts whose coordinates were trained anew.
 * The same is done with the run's own parameters, so that the difference is theirs alone.
 */
import {
  type EngineRun,
  engineSteps,
  type PageData,
  type PlacementParameters,
  SimulationStage,
} from "@centroid/placement";
import { html } from "./dom.js";
import { type Line, lineOf, modelOf, type RoomModel } from "./model.js";

type EngineNumber = "regretFactor" | "minGain" | "noiseMargin" | "doubt" | "optimism";
type SimulationNumber = "migrationCost" | "probes" | "noise";

interface Slider {
  name: EngineNumber | SimulationNumber;
  words: string;
  least: number;
  most: number;
  step: number;
}

const SLIDERS: readonly Slider[] = [
  {
    name: "regretFactor",
    words: "times a move must have paid for itself",
    least: 0,
    most: 3,
    step: 0.05,
  },
  { name: "minGain", words: "least gain of a move", least: 0, most: 0.3, step: 0.01 },
  { name: "noiseMargin", words: "standard errors a gain must be", least: 0, most: 8, step: 0.25 },
  { name: "doubt", words: "doubt in what is not measured", least: 0, most: 2, step: 0.05 },
  { name: "optimism", words: "optimism in what to measure", least: 0, most: 4, step: 0.1 },
  { name: "probes", words: "probes per player and place", least: 0, most: 12, step: 1 },
  { name: "migrationCost", words: "price of a move, ms.player.step", least: 0, most: 12_000, step: 100 },
  { name: "noise", words: "noise of a ping", least: 0, most: 0.3, step: 0.01 },
];
/** So long the page may stand still. */
const SLICE_MS = 12;
const DEBOUNCE_MS = 150;

export interface WhatIfResult {
  line: Line;
  /** The same with the run's own parameters. */
  own: Line;
  probesPerPlayer: number;
}

type OnResult = (result: WhatIfResult | "running" | undefined) => void;

export class WhatIf {
  readonly element = html("div", { class: "sliders" });
  readonly #data: PageData;
  readonly #stage: SimulationStage;
  readonly #inputs = new Map<Slider["name"], HTMLInputElement>();
  readonly #onResult: OnResult;
  #timer: number | undefined;
  #run = 0;
  #room: RoomModel | undefined;

  /** @param onResult gets undefined while all is as it was simulated */
  constructor(data: PageData, stage: SimulationStage, onResult: OnResult) {
    this.#data = data;
    this.#stage = stage;
    this.#onResult = onResult;
    for (const slider of SLIDERS) {
      const value = this.#given(slider.name);
      const input = html("input", {
        type: "range",
        id: slider.name,
        min: Math.min(slider.least, value),
        max: Math.max(slider.most, value),
        step: slider.step,
      });
      const output = html("output", { for: slider.name });
      const show = (): void => {
        output.textContent = Number(input.value).toLocaleString("en");
      };
      input.value = String(value);
      input.addEventListener("input", () => {
        show();
        this.#later();
      });
      show();
      this.#inputs.set(slider.name, input);
      this.element.append(
        html("div", { class: "slider" }, html("label", { for: slider.name }, slider.words, output), input),
      );
    }
  }

  show(room: RoomModel): void {
    this.#room = room;
    this.#later();
  }

  reset(): void {
    for (const [name, input] of this.#inputs) {
      input.value = String(this.#given(name));
      input.dispatchEvent(new Event("input"));
    }
  }

  #given(name: Slider["name"]): number {
    return isOfSimulation(name) ? this.#data.parameters[name] : this.#data.engine[name];
  }

  #later(): void {
    clearTimeout(this.#timer);
    const run = ++this.#run;
    const changed = SLIDERS.some(({ name }) => this.#value(name) !== this.#given(name));
    if (!changed || this.#room === undefined) {
      this.#onResult(undefined);
      return;
    }
    this.#onResult("running");
    const room = this.#room;
    this.#timer = window.setTimeout(() => void this.#recompute(room, () => run !== this.#run), DEBOUNCE_MS);
  }

  #value(name: Slider["name"]): number {
    return Number(this.#inputs.get(name)?.value ?? this.#given(name));
  }

  async #recompute(room: RoomModel, isOver: () => boolean): Promise<void> {
    const engine: Partial<PlacementParameters> = {};
    const parameters = { ...this.#data.parameters };
    for (const { name } of SLIDERS) {
      if (isOfSimulation(name)) parameters[name] = this.#value(name);
      else engine[name] = this.#value(name);
    }
    const stage = new SimulationStage(this.#stage.slices, parameters);
    const model = modelOf(room.room, stage);
    const trial = await played(stage, model, engine, isOver);
    const before = await played(stage, model, ownNumbers(this.#data.engine), isOver);
    if (trial === undefined || before === undefined || isOver()) return;
    this.#onResult({
      line: lineOf("what-if", trial.path, model, parameters.migrationCost),
      own: lineOf("centroid", before.path, model, parameters.migrationCost),
      probesPerPlayer: trial.probes / Math.max(1, trial.stays),
    });
  }
}

const isOfSimulation = (name: Slider["name"]): name is SimulationNumber =>
  name === "migrationCost" || name === "probes" || name === "noise";

const ownNumbers = (engine: PlacementParameters): Partial<PlacementParameters> => {
  const { regretFactor, minGain, noiseMargin, doubt, optimism } = engine;
  return { regretFactor, minGain, noiseMargin, doubt, optimism };
};

/** The page stays alive meanwhile. @returns undefined if it was over before */
async function played(
  stage: SimulationStage,
  { room, trace }: RoomModel,
  engine: Partial<PlacementParameters>,
  isOver: () => boolean,
): Promise<EngineRun | undefined> {
  const steps = engineSteps(stage, room.room, trace, stage.trained(), engine);
  let until = performance.now() + SLICE_MS;
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() < until) continue;
    await new Promise((resolve) => setTimeout(resolve));
    if (isOver()) return undefined;
    until = performance.now() + SLICE_MS;
  }
}
