/** The page: joins the room, draws it, sends where the pointer is. */
import "@centroid/sdk/hud";
import { CentroidClient } from "@centroid/sdk";
import type { CentroidHud } from "@centroid/sdk/hud";
import type { ArenaState, Point } from "../shared/state.js";
import { cities, travel } from "./cities.js";

const SEND_INTERVAL_MS = 50;
const DOT_PX = 14;

function element<T extends Element>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

const canvas = element<HTMLCanvasElement>("canvas");
const status = element<HTMLOutputElement>("output");

async function play(): Promise<void> {
  const network = `player-${crypto.randomUUID().slice(0, 8)}`;
  const client = new CentroidClient(location.origin, { network });
  await chooseCity(network);
  const room = await client.joinOrCreate<ArenaState>("arena");
  element<CentroidHud>("centroid-hud").room = room;
  room.onMigrate(({ from, to }) => {
    status.textContent = `the room came from ${from.name} to ${to.name}`;
  });

  let pointer: Point | undefined;
  canvas.addEventListener("pointermove", (event) => {
    const { width, height } = canvas.getBoundingClientRect();
    pointer = { x: (2 * event.offsetX) / width - 1, y: (2 * event.offsetY) / height - 1 };
  });
  setInterval(() => {
    if (pointer !== undefined) room.send("walk", pointer);
    pointer = undefined;
  }, SEND_INTERVAL_MS);
  const frame = (): void => {
    draw(room.state, room.sessionId);
    requestAnimationFrame(frame);
  };
  frame();
  status.textContent = `joined ${room.roomId}`;
}

/** Where this player is; only with distances that are emulated. */
async function chooseCity(network: string): Promise<void> {
  const select = element<HTMLSelectElement>("select");
  for (const city of await cities()) select.add(new Option(city));
  select.disabled = select.options.length === 0;
  select.value = "frankfurt";
  select.addEventListener("change", () => void travel(network, select.value));
}

function draw(state: ArenaState | undefined, sessionId: string): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  canvas.width = canvas.clientWidth;
  canvas.height = canvas.clientHeight;
  for (const [id, { x, y, hue }] of state?.players?.entries() ?? []) {
    context.beginPath();
    context.arc(((x + 1) / 2) * canvas.width, ((y + 1) / 2) * canvas.height, DOT_PX, 0, 2 * Math.PI);
    context.fillStyle = `hsl(${hue} 80% 60%)`;
    context.fill();
    if (id !== sessionId) continue;
    context.strokeStyle = "#fff";
    context.lineWidth = 3;
    context.stroke();
  }
}

play().catch((cause: unknown) => {
  status.textContent = cause instanceof Error ? cause.message : String(cause);
});
