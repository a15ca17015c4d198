/** The player's own body: head and hands in the world, from mouse and keys or from a headset and its controllers. */
import type { Entity, Scene } from "aframe";
import { type Group, Matrix4, MeshBasicMaterial, MeshStandardMaterial, Quaternion, Vector3 } from "three";
import { handModel } from "./people.js";
import { HANDS, type Hand, type Part, type TransformView } from "./view.js";

/** Where hands hang in front of a desktop camera, metres. */
const REST: Record<Hand, Vector3> = {
  left: new Vector3(-0.24, -0.3, -0.55),
  right: new Vector3(0.24, -0.3, -0.55),
};
/** A hand goes to where it is wanted this fast, ms. */
const REACH_TAU_MS = 45;
const START_PITCH_RAD = -0.22;
const STICK_SPEED_M_S = 1.8;
const STICK_DEAD_ZONE = 0.2;
/** Below this a hand and the room's view of it are one. */
const GHOST_FROM_M = 0.05;

export type PoseTuple = [number, number, number, number, number, number, number];

export class Body {
  readonly #scene: Scene;
  readonly #rig: Entity;
  readonly #camera: Entity;
  /** Where the head was last drawn; A-Frame resets the camera before it says that the headset is on or off. */
  readonly #stood = new Vector3();
  readonly hands: Record<Hand, Group>;
  /** The player's hands as the room knows them: behind the own ones by the way there and back. */
  readonly #ghosts: Record<Hand, Group>;
  /** Where the right hand of a desktop player is wanted, if not at rest. */
  reach: Vector3 | undefined;
  readonly gripping: Record<Hand, boolean> = { left: false, right: false };

  constructor(scene: Scene, rig: Entity, camera: Entity) {
    this.#scene = scene;
    this.#rig = rig;
    this.#camera = camera;
    const glove = new MeshStandardMaterial({ color: "#f3efe6", roughness: 0.7 });
    const ghost = new MeshBasicMaterial({
      color: "#8fcbff",
      transparent: true,
      opacity: 0.35,
      depthWrite: false,
    });
    const both = (material: MeshStandardMaterial | MeshBasicMaterial): Record<Hand, Group> => ({
      left: handModel("left", material),
      right: handModel("right", material),
    });
    this.hands = both(glove);
    this.#ghosts = both(ghost);
    for (const hand of HANDS) scene.object3D.add(this.hands[hand], this.#ghosts[hand]);
    // A headset starts where the desktop player stood, and the other way round.
    for (const change of ["enter-vr", "exit-vr"])
      scene.addEventListener(change, () => this.stand(this.#stood.x, this.#stood.z));
  }

  /** Looks down a little, at the table. */
  lookDown(): void {
    const pitch = this.#camera.components?.["look-controls"]?.pitchObject;
    if (pitch !== undefined) pitch.rotation.x = START_PITCH_RAD;
  }

  /** Puts the player somewhere, looking at the middle. */
  stand(x: number, z: number): void {
    this.#rig.object3D.position.set(x, 0, z);
    this.#rig.object3D.rotation.y = Math.atan2(x, z);
    this.#camera.object3D.position.set(0, 1.6, 0);
    this.#stood.set(x, 0, z);
  }

  tick(deltaMs: number): void {
    this.#rig.object3D.updateMatrixWorld(true);
    this.#stood.setFromMatrixPosition(this.#camera.object3D.matrixWorld);
    if (this.#scene.is("vr-mode")) this.#fromHeadset(deltaMs);
    else this.#fromDesktop(deltaMs);
  }

  showGhosts(told: Record<Hand, TransformView>): void {
    for (const hand of HANDS) {
      const { x, y, z, qx, qy, qz, qw } = told[hand];
      const ghost = this.#ghosts[hand];
      ghost.position.lerp(new Vector3(x, y, z), 0.35);
      ghost.quaternion.set(qx, qy, qz, qw);
      ghost.visible = ghost.position.distanceTo(this.hands[hand].position) > GHOST_FROM_M;
    }
  }

  pose(part: Part): PoseTuple {
    const position = new Vector3();
    const turn = new Quaternion();
    const object = part === "head" ? this.#camera.object3D : this.hands[part];
    object.matrixWorld.decompose(position, turn, new Vector3());
    // Rounding to 0.1 mm keeps a quaternion's parts within one.
    const round = (value: number): number => Math.round(value * 1e4) / 1e4;
    return [position.x, position.y, position.z, turn.x, turn.y, turn.z, turn.w].map(round) as PoseTuple;
  }

  #fromDesktop(deltaMs: number): void {
    const camera = this.#camera.object3D;
    const share = 1 - Math.exp(-deltaMs / REACH_TAU_MS);
    for (const hand of HANDS) {
      const wanted =
        hand === "right" && this.reach !== undefined
          ? this.reach
          : REST[hand].clone().applyMatrix4(camera.matrixWorld);
      this.hands[hand].position.lerp(wanted, share);
      camera.getWorldQuaternion(this.hands[hand].quaternion);
      this.hands[hand].updateMatrixWorld();
    }
  }

  #fromHeadset(deltaMs: number): void {
    const { frame, renderer } = this.#scene;
    const space = renderer.xr.getReferenceSpace();
    const sources = renderer.xr.getSession()?.inputSources;
    if (frame === undefined || space === null || sources === undefined) return;
    for (const { handedness, gripSpace, gamepad } of sources) {
      if (handedness === "none") continue;
      const pose = gripSpace === undefined ? undefined : frame.getPose(gripSpace, space);
      if (pose) {
        const world = this.#rig.object3D.matrixWorld
          .clone()
          .multiply(new Matrix4().fromArray(pose.transform.matrix));
        const hand = this.hands[handedness];
        world.decompose(hand.position, hand.quaternion, hand.scale);
        hand.updateMatrixWorld();
      }
      this.gripping[handedness] = [0, 1].some((button) => gamepad?.buttons[button]?.pressed === true);
      if (handedness === "left") this.#walk(gamepad?.axes[2] ?? 0, gamepad?.axes[3] ?? 0, deltaMs);
    }
  }

  #walk(sideways: number, back: number, deltaMs: number): void {
    if (Math.hypot(sideways, back) < STICK_DEAD_ZONE) return;
    const step = new Vector3(sideways, 0, back).applyQuaternion(
      this.#camera.object3D.getWorldQuaternion(new Quaternion()),
    );
    this.#rig.object3D.position.add(step.setY(0).multiplyScalar((STICK_SPEED_M_S * deltaMs) / 1000));
  }
}
