/** The page of a simulation: one room at a time on the map and over time, all of them in the table. */
import type { PageData, PageRoom } from "@centroid/placement";
import { WORDS } from "./colors.js";
import { html } from "./dom.js";
import { LatencyView } from "./latency-view.js";
import { modelOf, type RoomModel, stageOf } from "./model.js";
import { standings } from "./standings.js";
import style from "./style.css?inline";
import { Timeline } from "./timeline.js";
import { WhatIf, type WhatIfResult } from "./what-if.js";

/** Steps per second of the play button. */
const PLAY_STEPS_PER_S = 30;

class SimulationView {
  readonly #data: PageData;
  readonly #shown = new Set<string>(["centroid", "oracle", "never", "what-if"]);
  readonly #stage;
  readonly #map: LatencyView;
  readonly #timeline: Timeline;
  readonly #whatIf: WhatIf;
  readonly #outcome = html("p", { class: "outcome", "aria-live": "polite" });
  readonly #facts = html("p", { class: "facts" });
  readonly #moves = html("ol", { class: "moves" });
  readonly #slider = html("input", { type: "range", min: 0, value: 0, id: "step", "aria-label": "step" });
  readonly #stepText = html("output", { for: "step" });
  readonly #play = html("button", { type: "button", class: "play" }, "Play");
  #playing: number | undefined;
  #base: RoomModel | undefined;
  #model: RoomModel | undefined;

  constructor(data: PageData) {
    this.#data = data;
    this.#stage = stageOf(data);
    this.#map = new LatencyView(data, this.#stage);
    this.#timeline = new Timeline(data, (step) => this.#go(step));
    this.#whatIf = new WhatIf(data, this.#stage, (result) => this.#tried(result));
    this.#slider.max = String(data.parameters.steps - 1);
    this.#slider.addEventListener("input", () => this.#go(Number(this.#slider.value)));
    this.#play.addEventListener("click", () => this.#toggle());
  }

  mount(root: HTMLElement): void {
    document.head.append(html("style", {}, style));
    const select = html("select", { id: "room", "aria-label": "room" });
    for (const { room, scenario, moves } of this.#data.rooms)
      select.append(html("option", { value: room }, `room ${room}, ${scenario}, ${moves.length} moves`));
    select.addEventListener("change", () => this.#open(Number(select.value)));
    const reset = html("button", { type: "button" }, "As simulated");
    reset.addEventListener("click", () => this.#whatIf.reset());
    root.append(
      html(
        "header",
        {},
        html("h1", {}, html("i", { class: "dot" }), "Placement against the optimum"),
        html("p", { class: "setting" }, settingOf(this.#data)),
      ),
      html(
        "main",
        {},
        card("map-card", "Map of latency", this.#map.element, legend()),
        card("moves-card", "The engine's moves, and why", this.#facts, this.#moves),
        card(
          "time-card",
          "J over time",
          html("div", { class: "controls" }, select, this.#play, this.#slider, this.#stepText),
          this.#timeline.element,
        ),
        card(
          "if-card",
          "What if",
          html(
            "p",
            { class: "soft" },
            "The engine again, in this page: this room alone, coordinates trained anew.",
          ),
          this.#whatIf.element,
          html("div", { class: "controls" }, reset),
          this.#outcome,
        ),
        card(
          "table-card",
          "All rooms",
          standings(this.#data, this.#shown, () => this.#draw()),
        ),
      ),
    );
    // The room with most to see.
    const first = [...this.#data.rooms].sort((a, b) => b.moves.length - a.moves.length)[0];
    if (first === undefined) return;
    select.value = String(first.room);
    this.#open(first.room);
  }

  #open(room: number): void {
    const found = this.#data.rooms.find((known) => known.room === room);
    if (found === undefined) return;
    this.#base = modelOf(found, this.#stage);
    this.#model = this.#base;
    this.#facts.textContent = factsOf(found, this.#base);
    this.#moves.replaceChildren(
      ...found.moves.map(({ step, from, to, text }) => {
        const jump = html("button", { type: "button" }, `step ${step}`);
        jump.addEventListener("click", () => this.#go(step));
        return html("li", {}, jump, html("strong", {}, `${from} → ${to}`), html("span", {}, text));
      }),
    );
    this.#draw();
    this.#go(found.moves[0]?.step ?? 0);
    this.#whatIf.show(this.#base);
  }

  #tried(result: WhatIfResult | "running" | undefined): void {
    if (this.#base === undefined) return;
    if (result === "running") {
      this.#outcome.textContent = "computing…";
      return;
    }
    this.#model =
      result === undefined ? this.#base : { ...this.#base, lines: [...this.#base.lines, result.line] };
    this.#outcome.textContent = result === undefined ? "Move a slider." : outcomeOf(result);
    this.#draw();
    this.#go(Number(this.#slider.value));
  }

  #draw(): void {
    if (this.#model === undefined) return;
    this.#timeline.draw(this.#model, this.#shown);
    this.#go(Number(this.#slider.value));
  }

  #go(step: number): void {
    if (this.#model === undefined) return;
    this.#slider.value = String(step);
    this.#stepText.textContent = `step ${step}, ${this.#model.table.players[step] ?? 0} players`;
    this.#timeline.at(step);
    this.#map.draw(this.#model, step, this.#shown);
  }

  #toggle(): void {
    if (this.#playing !== undefined) {
      clearInterval(this.#playing);
      this.#playing = undefined;
    } else {
      if (this.#slider.value === this.#slider.max) this.#go(0);
      this.#playing = window.setInterval(() => {
        const next = Number(this.#slider.value) + 1;
        if (next > Number(this.#slider.max)) this.#toggle();
        else this.#go(next);
      }, 1_000 / PLAY_STEPS_PER_S);
    }
    this.#play.textContent = this.#playing === undefined ? "Play" : "Pause";
  }
}

function card(name: string, title: string, ...content: Node[]): HTMLElement {
  return html("section", { class: `card ${name}`, "aria-label": title }, html("h2", {}, title), ...content);
}

function legend(): HTMLElement {
  const item = (name: string, words: string): HTMLElement =>
    html("span", {}, html("i", { class: name }), words);
  return html(
    "p",
    { class: "legend" },
    item("key host-key", "host"),
    item("key here-key", "host of the room"),
    item("key good-key", "player within 50 ms"),
    item("key fair-key", "100 ms"),
    item("key poor-key", "more"),
    html("span", { class: "soft" }, "Distances are round trips, as far as a plane has room for them."),
  );
}

function settingOf({ parameters: p, slices, rooms }: PageData): string {
  const shown = rooms.length < p.rooms ? `, the first ${rooms.length} of them here` : "";
  return `${p.rooms} rooms of ${p.minPlayers}–${p.maxPlayers} players${shown}; ${p.hosts} hosts of ${p.nodes} nodes in ${slices.map(({ name }) => name).join(", ")}; ${p.steps} steps, scenario ${p.scenario}, ${(100 * p.noise).toFixed(0)} % noise, seed ${p.seed}; a move costs ${p.migrationCost.toLocaleString("en")} ms.player.step`;
}

function factsOf({ moves }: PageRoom, { lines }: RoomModel): string {
  const own = lines.find(({ name }) => name === "centroid");
  const others = lines
    .filter(({ name }) => name !== "centroid" && name !== "oracle")
    .sort((a, b) => a.ratio - b.ratio)
    .map(({ name, ratio }) => `${WORDS[name]} ${ratio.toFixed(3)}`);
  const first = own === undefined ? "" : `${own.ratio.toFixed(3)} × the optimum with ${moves.length} moves. `;
  return `${first}${others.length > 0 ? `Others: ${others.join(", ")}.` : ""}`;
}

function outcomeOf({ line, own, probesPerPlayer }: WhatIfResult): string {
  return `${line.ratio.toFixed(3)} × the optimum, ${line.moves} moves, ${probesPerPlayer.toFixed(2)} probes; as simulated, played the same way: ${own.ratio.toFixed(3)} ×, ${own.moves} moves`;
}

const data = document.getElementById("data")?.textContent;
if (data !== undefined && data !== null)
  new SimulationView(JSON.parse(data) as PageData).mount(document.body);
