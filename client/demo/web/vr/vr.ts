/** The social VR page: joins the plaza, shows it, sends where head and hands are. */
import "@centroid/sdk/hud";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import type { CentroidHud } from "@centroid/sdk/hud";
import AFRAME, { type Entity, type Scene } from "aframe";
import { Vector3 } from "three";
import { cityMenu } from "../shared/cities.js";
import { Body } from "./body.js";
import { Holding } from "./hold.js";
import { PlazaScene } from "./plaza.js";
import { Resolution } from "./resolution.js";
import { stage } from "./stage.js";
import type { PlazaRoom, PlazaView } from "./view.js";
import { Voice } from "./voice.js";

const POSE_INTERVAL_MS = 50;
const PROBE_INTERVAL_MS = 700;
const NAMES = ["Ana", "Ben", "Chloé", "Dai", "Efua", "Finn", "Gita", "Hugo"];

/** The page's one frame loop; filled once the room is joined. */
const loop: { frame: (nowMs: number, deltaMs: number) => void } = { frame: () => undefined };
AFRAME.registerComponent("plaza-loop", {
  tick: (_timeMs, deltaMs) => loop.frame(performance.now(), deltaMs),
});

function get<E extends Element>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (found === null) throw new Error(`the page lacks ${selector}`);
  return found;
}

async function join(asked: URLSearchParams): Promise<PlazaRoom> {
  const name = asked.get("name") ?? NAMES[Math.floor(Math.random() * NAMES.length)] ?? "Guest";
  const network = `vr-${name.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}`;
  await cityMenu(get("#city"), network, asked.get("city") ?? "frankfurt");
  const client = new CentroidClient(location.origin, { network, probing: { intervalMs: PROBE_INTERVAL_MS } });
  const roomId = asked.get("room");
  return roomId === null
    ? client.joinOrCreate<PlazaView>("plaza", { name })
    : client.joinById<PlazaView>(roomId, { name });
}

async function start(): Promise<void> {
  const scene = get<Scene>("a-scene");
  if (!scene.hasLoaded)
    await new Promise((resolve) => scene.addEventListener("loaded", resolve, { once: true }));
  scene.object3D.add(stage());
  const camera = get<Entity>("#camera");
  const body = new Body(scene, get("#rig"), camera);
  body.stand(0, 2.4);
  body.lookDown();
  headsetButton(scene);
  const room = await join(new URLSearchParams(location.search));
  const hud = document.createElement("centroid-hud") as CentroidHud;
  get("main").append(hud);
  hud.room = room as CentroidRoom;
  await new Promise<void>((resolve) => {
    const check = (): void => void (room.state?.avatars?.has(room.sessionId) && resolve());
    room.onStateChange(check);
    check();
  });
  const me = room.state?.avatars?.get(room.sessionId);
  if (me !== undefined) body.stand(me.head.x, me.head.z);

  let n = 0;
  const sendPose = (): void =>
    room.send("pose", {
      n: ++n,
      nonce: n,
      head: body.pose("head"),
      left: body.pose("left"),
      right: body.pose("right"),
    });
  const plaza = new PlazaScene(scene, room);
  const holding = new Holding({ scene, camera, body, things: plaza.things, room, sendPose });
  const voice = voiceOf(room, plaza);
  const resolution = new Resolution(scene);
  const status = get("#status");
  const sending = setInterval(sendPose, POSE_INTERVAL_MS);
  room.onLeave(() => {
    clearInterval(sending);
    status.textContent = "the room has ended; reload to come back";
  });
  room.onMessage("echo", () => undefined);
  let shown = "";
  loop.frame = (nowMs, deltaMs) => {
    body.tick(deltaMs);
    holding.tick(nowMs);
    plaza.tick(nowMs, deltaMs, holding.aimed);
    const known = room.state?.avatars?.get(room.sessionId);
    if (known !== undefined) body.showGhosts(known);
    const ear = camera.object3D.getWorldPosition(new Vector3());
    const forward = camera.object3D.getWorldDirection(new Vector3()).negate();
    voice.tick(ear, forward, (id) => plaza.people.get(id)?.position("head"));
    resolution.tick(deltaMs);
    const others = [...plaza.people.values()].map(({ entity }) => entity.dataset.name);
    const text =
      others.length === 0 ? `${me?.name}, you are alone here` : `${me?.name}, with ${others.join(", ")}`;
    if (text !== shown) status.textContent = shown = text;
  };
  scene.setAttribute("plaza-loop", "");
  get<HTMLAnchorElement>("#second").href = `./?city=tokyo&room=${room.roomId}`;
}

/** Offered only where there is a headset. */
function headsetButton(scene: Scene): void {
  const button = get<HTMLButtonElement>("#enter-vr");
  button.addEventListener("click", () => void scene.enterVR());
  void navigator.xr?.isSessionSupported("immersive-vr").then((there) => {
    button.hidden = !there;
  });
}

function voiceOf(room: PlazaRoom, plaza: PlazaScene): Voice {
  const voice = new Voice(room);
  const button = get<HTMLButtonElement>("#voice");
  const known = new Set<string>();
  room.onStateChange(() => {
    for (const id of plaza.people.keys()) if (!known.has(id)) voice.joined(id);
    for (const id of known) if (!plaza.people.has(id)) voice.drop(id);
    known.clear();
    for (const id of plaza.people.keys()) known.add(id);
  });
  button.addEventListener("click", async () => {
    try {
      const speaking = await voice.toggle(plaza.people.keys());
      button.setAttribute("aria-pressed", String(speaking));
      button.textContent = speaking ? "Voice off" : "Voice on";
    } catch {
      button.textContent = "No microphone";
    }
  });
  // What people hear, for whoever wants to show it.
  Object.assign(button, { levelOf: (id: string) => voice.level(id) });
  return voice;
}

start().catch((cause: unknown) => {
  get("#status").textContent = cause instanceof Error ? cause.message : String(cause);
});
