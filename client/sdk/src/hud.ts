/**
 * `<centroid-hud>`: SERVER / BY / PING / JITTER over any game, and where the room is moving while it moves.
 * Give it a room: `hud.room = room`. Browser only.
 */
import type { CentroidRoom } from "./room.js";

const STYLE = `
:host { position: absolute; inset: 12px auto auto 12px; font: 600 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  color: var(--centroid-hud-color, #fff); background: var(--centroid-hud-background, rgb(8 12 20 / .72)); padding: 8px 12px;
  border-radius: 8px; letter-spacing: .04em; pointer-events: none; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: auto auto; gap: 0 12px; margin: 0 }
dt { opacity: .65 } dd { margin: 0; text-align: right }
p { margin: 4px 0 0; color: var(--centroid-hud-accent, #ffd166) } p:empty { display: none }
`;
/** How long "moved to ..." stays. */
const MOVED_SHOWN_MS = 4_000;

/** What the overlay needs of a room, whatever its state is. */
export type HudRoom = Pick<CentroidRoom, "host" | "stats" | "onStats" | "onMoving" | "onMigrate">;

/** The element's class; `document.createElement("centroid-hud")` makes one. */
export class CentroidHud extends HTMLElement {
  readonly #server = document.createElement("dd");
  readonly #way = document.createElement("dd");
  readonly #ping = document.createElement("dd");
  readonly #jitter = document.createElement("dd");
  readonly #note = document.createElement("p");
  #detach: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    const list = document.createElement("dl");
    for (const [label, value] of [
      ["SERVER", this.#server],
      ["BY", this.#way],
      ["PING", this.#ping],
      ["JITTER", this.#jitter],
    ] as const) {
      const term = document.createElement("dt");
      term.textContent = label;
      value.textContent = "–";
      list.append(term, value);
    }
    this.#note.setAttribute("role", "status");
    root.append(style, list, this.#note);
  }

  /** The room to show; another one replaces it. */
  set room(room: HudRoom) {
    for (const detach of this.#detach.splice(0)) detach();
    this.#show(room);
    this.#detach = [
      room.onStats((stats) => this.#show(room, stats)),
      room.onMoving((to) => this.#say(`moving to ${to.name} …`)),
      room.onMigrate(({ to, freezeMs }) => {
        this.#show(room);
        this.#say(`moved to ${to.name}, froze ${freezeMs.toFixed(0)} ms`, MOVED_SHOWN_MS);
      }),
    ];
  }

  disconnectedCallback(): void {
    for (const detach of this.#detach.splice(0)) detach();
    clearTimeout(this.#timer);
  }

  /** The very figures that `onStats` tells. */
  #show(room: HudRoom, stats = room.stats): void {
    this.#server.textContent = room.host.name.toUpperCase();
    this.#way.textContent = stats === undefined ? "–" : (stats.gatewayId ?? "direct");
    this.#ping.textContent = inMs(stats?.pingMs);
    this.#jitter.textContent = inMs(stats?.jitterMs);
  }

  #say(text: string, forMs?: number): void {
    clearTimeout(this.#timer);
    this.#note.textContent = text;
    if (forMs !== undefined) {
      this.#timer = setTimeout(() => {
        this.#note.textContent = "";
      }, forMs);
    }
  }
}

const inMs = (value = Number.NaN): string => (Number.isFinite(value) ? `${value.toFixed(0)} ms` : "–");

customElements.define("centroid-hud", CentroidHud);
