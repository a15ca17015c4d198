/** The aim-at-target game in two windows, each player in a city of its own. */
import "@centroid/sdk/hud";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import type { CentroidHud } from "@centroid/sdk/hud";
import { cityMenu } from "../shared/cities.js";
import { Aim } from "./aim.js";
import { type Flash, Painter } from "./draw.js";

interface ArenaView {
  target: { x: number; y: number };
  players: Map<string, { name: string; x: number; y: number; hits: number; shots: number; score: number }>;
}
type ArenaRoom = CentroidRoom<ArenaView>;

const FIELD_RADIUS = 100;
const INPUT_INTERVAL_MS = 50;
const PROBE_INTERVAL_MS = 700;
/** So few that the rate tells of now, not of before the room moved. */
const RECENT_SHOTS = 10;
const START = ["sao-paulo", "frankfurt"] as const;

function element<K extends keyof HTMLElementTagNameMap>(tag: K, into: HTMLElement): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  into.append(made);
  return made;
}

/** One window: joins the room, draws it, sends where the pointer aims. */
async function player(main: HTMLElement, name: string, city: string, roomId?: string): Promise<ArenaRoom> {
  const network = `play-${name.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}`;
  const select = document.createElement("select");
  await cityMenu(select, network, city);
  const client = new CentroidClient(location.origin, { network, probing: { intervalMs: PROBE_INTERVAL_MS } });
  const options = { name };
  const room: ArenaRoom =
    roomId === undefined
      ? await client.create<ArenaView>("arena", options)
      : await client.joinById<ArenaView>(roomId, options);

  const section = element("section", main);
  section.setAttribute("aria-label", name);
  const field = element("div", section);
  field.className = "field";
  const canvas = element("canvas", field);
  const hud = document.createElement("centroid-hud") as CentroidHud;
  field.append(hud);
  hud.room = room as CentroidRoom;
  const footer = element("footer", section);
  const label = element("label", footer);
  label.append(`${name} is in`);
  label.append(select);
  const hint = element("small", footer);
  const score = element("output", footer);

  const aim = new Aim(canvas, () => {
    const { width, height } = canvas.getBoundingClientRect();
    return (2.3 * FIELD_RADIUS) / Math.min(width, height);
  });
  let n = 0;
  const sending = setInterval(() => {
    room.send("input", { n: ++n, nonce: n, ...aim.next(room.state?.target) });
  }, INPUT_INTERVAL_MS);
  const flashes: Flash[] = [];
  const painter = new Painter(canvas, FIELD_RADIUS);
  const recent: boolean[] = [];
  room.onMessage("shot", (shot: { by: string; x: number; y: number; hit: boolean }) => {
    flashes.push({ ...shot, atMs: performance.now() });
    if (shot.by !== room.sessionId) return;
    recent.push(shot.hit);
    if (recent.length > RECENT_SHOTS) recent.shift();
  });
  room.onMessage("echo", () => undefined);
  const frame = (): void => {
    const me = room.state?.players?.get(room.sessionId);
    if (me !== undefined) {
      const hits = recent.filter((hit) => hit).length;
      score.textContent = `${me.score} points, ${hits} of the last ${recent.length} hit`;
      hint.textContent = aim.byHand ? "you aim; click to shoot" : "plays by itself";
    }
    painter.draw(room.state, room.sessionId, flashes);
    if (section.isConnected) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  room.onLeave(() => clearInterval(sending));
  return room;
}

const main = document.querySelector("main");
if (main !== null) {
  try {
    const first = await player(main, "Ana", START[0]);
    await player(main, "Ben", START[1], first.roomId);
  } catch (cause) {
    element("p", main).textContent = cause instanceof Error ? cause.message : String(cause);
  }
}
