/** A camera whose pictures are looked at by the room, by this page, or by whichever is faster; and somebody who watches. */
import "@centroid/sdk/hud";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import type { CentroidHud } from "@centroid/sdk/hud";
import { cityMenu } from "../shared/cities.js";
import { Chooser, type End, type Where } from "./chooser.js";
import { type Answer, EdgeEnd, type FaceBox, LocalEnd } from "./ends.js";
import { Pictures } from "./pictures.js";
import { drawFaces, drawPointer, Figures, TimeBar } from "./show.js";
import { AnswerSilence } from "./silence.js";

const PICTURE_INTERVAL_MS = 100;
const DRAW_INTERVAL_MS = 40;
const PROBE_INTERVAL_MS = 700;
const HOME = "frankfurt";
/** What a median is taken over. */
const RECENT_ANSWERS = 30;

interface VisionView {
  players: Map<string, { name: string; picture: number; faces: Iterable<FaceBox> }>;
}
type VisionRoom = CentroidRoom<VisionView>;

function find<E extends Element>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

function painterOf(selector: string): CanvasRenderingContext2D {
  const paint = find<HTMLCanvasElement>(selector).getContext("2d");
  if (paint === null) throw new Error("this browser draws no pictures");
  return paint;
}

const ms = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(0)} ms`);
const plain = (faces: Iterable<FaceBox>): FaceBox[] =>
  [...faces].map(({ x, y, width, height, score, name }) => ({ x, y, width, height, score, name }));

async function main(): Promise<void> {
  const label = `see-${crypto.randomUUID().slice(0, 8)}`;
  const start = new URLSearchParams(location.search).get("city") ?? HOME;
  await cityMenu(find<HTMLSelectElement>("#city"), label, start);
  const probing = { intervalMs: PROBE_INTERVAL_MS };
  const client = new CentroidClient(location.origin, { network: label, probing });
  const room: VisionRoom = await client.create<VisionView>("vision", { name: "camera" });
  const hud = document.createElement("centroid-hud") as CentroidHud;
  hud.room = room as CentroidRoom;
  find(".own .field").append(hud);
  const status = find<HTMLElement>("#status");
  const loop = new SeeLoop(room, status);
  for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=where]"))
    radio.addEventListener("change", () => loop.choose(radio.value as Where));
  const camera = find<HTMLButtonElement>("#camera");
  camera.addEventListener("click", () => void toggleCamera(camera, loop.pictures, status));
  loop.start();
  await watch(room.roomId, label);
}

async function toggleCamera(
  button: HTMLButtonElement,
  pictures: Pictures,
  status: HTMLElement,
): Promise<void> {
  const on = button.getAttribute("aria-pressed") !== "true";
  try {
    if (on) await pictures.useCamera();
    else pictures.useClip();
    button.setAttribute("aria-pressed", String(on));
  } catch (cause) {
    status.textContent = `No camera: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

/** Takes a picture ten times a second, unless the last one is still being looked at. */
class SeeLoop {
  readonly pictures = new Pictures();
  readonly #room: VisionRoom;
  readonly #status: HTMLElement;
  readonly #chooser = new Chooser();
  readonly #ends: Record<End, { look: EdgeEnd["look"] }>;
  readonly #bar = new TimeBar(find("#bar"));
  readonly #figures = new Figures(find("#figures"));
  readonly #recent: { atMs: number; totalMs: number }[] = [];
  #faces: FaceBox[] = [];
  #pending = false;
  #answers = 0;
  #failed = 0;
  #moves = 0;
  #wrong = 0;
  readonly #silence = new AnswerSilence((longestMs) => {
    this.#figures.set("longest silence, last move", ms(longestMs));
  });

  constructor(room: VisionRoom, status: HTMLElement) {
    this.#room = room;
    this.#status = status;
    this.#ends = { edge: new EdgeEnd(room as CentroidRoom, this.pictures), local: new LocalEnd() };
    room.onMoving(() => this.#silence.begins());
    room.onMigrate(({ to, lost, duplicated }) => {
      this.#silence.moved(performance.now());
      this.#chooser.forgetEdge();
      this.#moves++;
      this.#wrong += lost + duplicated;
      this.#figures.set("moves / lost or doubled", `${this.#moves} / ${this.#wrong}`);
      this.#status.textContent = `The room came to ${to.name}.`;
    });
    room.onMessage("echo", () => undefined);
    room.onMessage("seen", () => undefined);
  }

  choose(where: Where): void {
    this.#chooser.where = where;
    this.#recent.length = 0;
  }

  start(): void {
    this.#status.textContent = "Waiting for the first answer: the room's host loads the model.";
    setInterval(() => void this.#look(), PICTURE_INTERVAL_MS);
    const paint = painterOf("#picture");
    let drawnAtMs = Number.NEGATIVE_INFINITY;
    const draw = (nowMs: number): void => {
      requestAnimationFrame(draw);
      // Whoever has no graphics card draws with the processor that looks at pictures, too.
      if (nowMs - drawnAtMs < DRAW_INTERVAL_MS) return;
      drawnAtMs = nowMs;
      this.pictures.show(paint);
      drawFaces(paint, this.#faces);
      const [first] = this.#faces;
      if (first !== undefined) drawPointer(paint, first);
    };
    requestAnimationFrame(draw);
  }

  async #look(): Promise<void> {
    if (this.#pending) return;
    this.#pending = true;
    const picture = this.pictures.take();
    const { end, alsoOther } = this.#chooser.pick(performance.now());
    const other = end === "edge" ? "local" : "edge";
    try {
      const asked = this.#ends[end].look(picture);
      if (alsoOther)
        this.#ends[other].look(picture).then(
          (answer) => this.#chooser.answered(answer),
          () => undefined,
        );
      const answer = await asked;
      this.#chooser.answered(answer);
      this.#show(answer);
    } catch (cause) {
      this.#failed++;
      console.warn("a picture without an answer:", cause);
      this.#status.textContent = cause instanceof Error ? cause.message : String(cause);
      this.#figures.set("failed", String(this.#failed));
    } finally {
      this.#pending = false;
    }
  }

  #show(answer: Answer): void {
    const nowMs = performance.now();
    this.#silence.answered(nowMs);
    if (++this.#answers === 1) this.#status.textContent = "";
    this.#faces = answer.faces;
    this.#bar.show(answer);
    this.#recent.push({ atMs: nowMs, totalMs: answer.totalMs });
    if (this.#recent.length > RECENT_ANSWERS) this.#recent.shift();
    const sorted = this.#recent.map(({ totalMs }) => totalMs).sort((a, b) => a - b);
    const spanMs = nowMs - (this.#recent[0]?.atMs ?? nowMs);
    this.#figures.set(
      "looked at by",
      answer.end === "edge" ? `the room, in ${this.#room.host.name}` : "this page",
    );
    this.#figures.set("from light to box, median", ms(sorted[Math.floor(sorted.length / 2)]));
    this.#figures.set(
      "at the edge / in this page",
      `${ms(this.#chooser.meanMs("edge"))} / ${ms(this.#chooser.meanMs("local"))}`,
    );
    const perSecond = (1000 * (this.#recent.length - 1)) / spanMs;
    this.#figures.set("pictures a second", spanMs > 0 ? perSecond.toFixed(1) : "–");
    this.#figures.set("answers", String(this.#answers));
    this.#figures.set("failed", String(this.#failed));
    const names = answer.faces.map(({ name }) => name || "?").sort();
    this.#figures.set("faces", names.join(", ") || "none");
    if (this.#answers === 1) {
      this.#figures.set("moves / lost or doubled", "0 / 0");
      this.#figures.set("longest silence, last move", "–");
    }
  }
}

/** A second player of the same room, who travels along: gets the pictures, and the faces from the state. */
async function watch(roomId: string, network: string): Promise<void> {
  const client = new CentroidClient(location.origin, { network, probing: { intervalMs: PROBE_INTERVAL_MS } });
  const room: VisionRoom = await client.joinById<VisionView>(roomId, { name: "viewer" });
  room.onMessage("echo", () => undefined);
  room.onMessage("seen", () => undefined);
  const paint = painterOf("#shared");
  room.onMessage("picture", async ({ by, jpeg }: { by: string; jpeg: Uint8Array<ArrayBuffer> }) => {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    paint.drawImage(bitmap, 0, 0, paint.canvas.width, paint.canvas.height);
    bitmap.close();
    drawFaces(paint, plain(room.state.players?.get(by)?.faces ?? []));
  });
  room.send("watch", true);
}

main().catch((cause: unknown) => {
  find("#status").textContent = cause instanceof Error ? cause.message : String(cause);
});
