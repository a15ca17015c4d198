/** The duel in three.js: one sphere per player, yours in another colour. */
import "@centroid/sdk/hud";
import { CentroidClient } from "@centroid/sdk";
import { Callbacks } from "@colyseus/sdk";
import {
  Color,
  GridHelper,
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  Scene,
  SphereGeometry,
  WebGLRenderer,
} from "three";

const WALK = { ArrowLeft: -1, ArrowRight: 1 };
const UNITS_PER_STEP = 0.25;

const scene = new Scene();
scene.background = new Color(0x0a101c);
scene.add(new GridHelper(20, 20, 0x335577, 0x1b2437));
const camera = new PerspectiveCamera(60, innerWidth / innerHeight, 0.1, 100);
camera.position.set(0, 3, 7);
camera.lookAt(0, 0, 0);

const client = new CentroidClient(location.origin, { network: "me" });
const room = await client.joinOrCreate("duel");
document.querySelector("centroid-hud").room = room;

const bodies = new Map();
const callbacks = Callbacks.get(room);
callbacks.onAdd("players", (_player, id) => {
  const color = id === room.sessionId ? 0xe9a8ff : 0x4cc3e8;
  const body = new Mesh(new SphereGeometry(0.4), new MeshBasicMaterial({ color }));
  body.position.z = -bodies.size;
  bodies.set(id, body);
  scene.add(body);
  showCount();
});
callbacks.onRemove("players", (_player, id) => {
  scene.remove(bodies.get(id));
  bodies.delete(id);
  showCount();
});

addEventListener("keydown", ({ key }) => {
  if (key in WALK) room.send("walk", WALK[key]);
});

const renderer = new WebGLRenderer({ antialias: true });
document.body.append(renderer.domElement);
addEventListener("resize", resize);
resize();
renderer.setAnimationLoop(() => {
  for (const [id, body] of bodies) body.position.x = room.state.players.get(id).x * UNITS_PER_STEP;
  renderer.render(scene, camera);
});

function showCount() {
  document.title = `Duel: ${bodies.size} here`;
}

function resize() {
  camera.aspect = innerWidth / innerHeight;
  camera.updateProjectionMatrix();
  renderer.setSize(innerWidth, innerHeight);
}
