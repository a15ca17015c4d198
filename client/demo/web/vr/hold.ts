/** Taking, carrying and throwing. The room decides who gets a thing; here one only asks. */
import type { Entity, Scene } from "aframe";
import { type PerspectiveCamera, Raycaster, Vector2, Vector3 } from "three";
import type { Body } from "./body.js";
import type { Props } from "./things.js";
import { HANDS, type Hand, type PlazaRoom } from "./view.js";

/** How far a desktop player reaches, metres. */
const ARM_M = 4;
/** How near a headset player's hand must be, metres; the room allows a little more. */
const NEAR_M = 0.4;
/** A thrown thing keeps the hand's speed over this time, ms. */
const SWING_MS = 120;
const MAX_SPEED_M_S = 12;

export class Holding {
  readonly #body: Body;
  readonly #things: ReadonlyMap<string, Props>;
  readonly #room: PlazaRoom;
  readonly #sendPose: () => void;
  readonly #scene: Scene;
  readonly #camera: Entity;
  readonly #pointer = new Vector2();
  readonly #swing: { atMs: number; at: Record<Hand, Vector3> }[] = [];
  readonly #busy: Record<Hand, boolean> = { left: false, right: false };
  #distance = 0;
  #pressed = false;
  /** The thing under the pointer or near a hand. */
  aimed: string | undefined;

  constructor(o: {
    scene: Scene;
    camera: Entity;
    body: Body;
    things: ReadonlyMap<string, Props>;
    room: PlazaRoom;
    sendPose: () => void;
  }) {
    this.#scene = o.scene;
    this.#camera = o.camera;
    this.#body = o.body;
    this.#things = o.things;
    this.#room = o.room;
    this.#sendPose = o.sendPose;
    const { canvas } = o.scene;
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    // Before look-controls, which would turn the head along.
    canvas.addEventListener("pointerdown", (event) => {
      this.#point(event);
      this.#look();
      if (this.aimed !== undefined) this.#take(this.aimed);
    });
    addEventListener("pointerup", () => {
      if (this.#pressed) this.#letGo("right");
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        this.#distance = Math.min(ARM_M, Math.max(0.4, this.#distance - event.deltaY / 800));
      },
      { passive: true },
    );
    addEventListener("keydown", ({ key, repeat, target }) => {
      if (repeat || target instanceof HTMLSelectElement) return;
      if (key === "e" || key === "E") this.#takeOrDrop();
      if (key === "f" || key === "F") o.room.send("emote", { kind: "wave" });
    });
  }

  tick(nowMs: number): void {
    const { hands } = this.#body;
    this.#swing.push({
      atMs: nowMs,
      at: { left: hands.left.position.clone(), right: hands.right.position.clone() },
    });
    while ((this.#swing[1]?.atMs ?? nowMs) < nowMs - SWING_MS) this.#swing.shift();
    if (this.#scene.is("vr-mode")) this.#headset();
    else this.#desktop();
    this.#scene.classList.toggle("reachable", this.aimed !== undefined);
  }

  #headset(): void {
    this.aimed = undefined;
    for (const hand of HANDS) {
      const near = this.#nearest(this.#body.hands[hand].position, NEAR_M);
      this.aimed ??= near;
      const grip = this.#body.gripping[hand];
      if (grip && !this.#busy[hand] && near !== undefined) {
        this.#busy[hand] = true;
        this.#ask(near, hand);
      } else if (!grip && this.#busy[hand]) this.#letGo(hand);
    }
  }

  #desktop(): void {
    if (!this.#busy.right) {
      this.#look();
      return;
    }
    const ray = this.#ray().ray;
    this.#body.reach = ray.origin.clone().addScaledVector(ray.direction, this.#distance);
  }

  #point({ clientX, clientY }: PointerEvent): void {
    const box = this.#scene.canvas.getBoundingClientRect();
    this.#pointer.set(((clientX - box.left) / box.width) * 2 - 1, 1 - ((clientY - box.top) / box.height) * 2);
  }

  #ray(): Raycaster {
    const raycaster = new Raycaster();
    const { camera } = this.#scene;
    if (camera !== undefined) raycaster.setFromCamera(this.#pointer, camera as PerspectiveCamera);
    return raycaster;
  }

  #look(): void {
    const [hit] = this.#ray().intersectObjects([...this.#things.values()].map(({ mesh }) => mesh));
    const found =
      hit !== undefined && hit.distance <= ARM_M ? String(hit.object.userData.objectId) : undefined;
    this.aimed = found !== undefined && this.#things.get(found)?.heldBy === "" ? found : undefined;
  }

  #take(objectId: string): void {
    const thing = this.#things.get(objectId);
    if (thing === undefined || this.#busy.right) return;
    this.#pressed = true;
    this.#camera.setAttribute("look-controls", "enabled: false");
    this.#reachFor(thing);
    this.#ask(objectId, "right");
  }

  #reachFor(thing: Props): void {
    this.#busy.right = true;
    this.#distance = thing.mesh.position.distanceTo(this.#ray().ray.origin);
    this.#body.reach = thing.mesh.position.clone();
    // An arm that grows: the room wants the hand at the thing before it gives it.
    const hand = this.#body.hands.right;
    hand.position.copy(this.#body.reach);
    hand.updateMatrixWorld();
  }

  #takeOrDrop(): void {
    if (this.#busy.right) {
      this.#letGo("right");
      return;
    }
    const camera = this.#camera.object3D.getWorldPosition(new Vector3());
    const nearest = this.aimed ?? this.#nearest(camera, ARM_M);
    const thing = nearest === undefined ? undefined : this.#things.get(nearest);
    if (nearest === undefined || thing === undefined) return;
    this.#reachFor(thing);
    this.#distance = 0.9;
    this.#ask(nearest, "right");
  }

  #ask(objectId: string, hand: Hand): void {
    this.#sendPose();
    this.#room.send("grab", { objectId, hand });
  }

  #letGo(hand: Hand): void {
    this.#busy[hand] = false;
    this.#pressed = false;
    this.#body.reach = undefined;
    this.#camera.setAttribute("look-controls", "enabled: true");
    const [first] = this.#swing;
    const last = this.#swing.at(-1);
    const seconds = first && last ? (last.atMs - first.atMs) / 1000 : 0;
    const speed = (axis: "x" | "y" | "z"): number => {
      if (first === undefined || last === undefined || seconds === 0) return 0;
      const value = (last.at[hand][axis] - first.at[hand][axis]) / seconds;
      return Math.min(MAX_SPEED_M_S, Math.max(-MAX_SPEED_M_S, value));
    };
    this.#room.send("release", { hand, velocity: [speed("x"), speed("y"), speed("z")] });
  }

  #nearest(from: Vector3, withinM: number): string | undefined {
    let best: { objectId: string; far: number } | undefined;
    for (const [objectId, { mesh, heldBy }] of this.#things) {
      const far = mesh.position.distanceTo(from);
      if (heldBy === "" && far <= withinM && far < (best?.far ?? Number.POSITIVE_INFINITY))
        best = { objectId, far };
    }
    return best?.objectId;
  }
}
