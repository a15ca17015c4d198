/** Other people: a head with a face, a body that follows it, two hands, a name. One entity per person. */
import type { Entity } from "aframe";
import {
  CapsuleGeometry,
  type Color,
  Group,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  SphereGeometry,
  Color as ThreeColor,
  Vector3,
} from "three";
import { Motion } from "./motion.js";
import { blobShadow, nameTag } from "./paint.js";
import { type AvatarView, type Hand, PARTS, type Part } from "./view.js";

const TAG_ABOVE_M = 0.34;
const BODY_BELOW_M = 0.52;
const WAVE_MS = 1_600;

const colorOf = (hue: number): Color => new ThreeColor().setHSL(hue / 360, 0.62, 0.58);

/** A mitten: palm and thumb, mirrored for the other side. */
export function handModel(hand: Hand, material: MeshStandardMaterial | MeshBasicMaterial): Group {
  const group = new Group();
  const palm = new Mesh(new SphereGeometry(0.055, 16, 12), material);
  palm.scale.set(0.75, 0.5, 1.25);
  const thumb = new Mesh(new CapsuleGeometry(0.017, 0.045, 4, 8), material);
  const side = hand === "left" ? 1 : -1;
  thumb.position.set(side * 0.045, 0.008, -0.01);
  thumb.rotation.set(-1.1, 0, side * 0.6);
  group.add(palm, thumb);
  return group;
}

function headModel(color: Color): Group {
  const group = new Group();
  const skin = new MeshStandardMaterial({ color, roughness: 0.6 });
  const head = new Mesh(new SphereGeometry(0.15, 24, 18), skin);
  head.scale.set(0.92, 1.08, 0.95);
  const visor = new Mesh(
    new SphereGeometry(0.128, 24, 16, 0, Math.PI, 0.9, 0.85),
    new MeshStandardMaterial({ color: "#0c1322", roughness: 0.25 }),
  );
  visor.rotation.y = Math.PI;
  visor.scale.set(1.02, 1, 1.28);
  visor.position.set(0, 0.012, -0.002);
  group.add(head, visor);
  for (const side of [-1, 1]) {
    const eye = new Mesh(new SphereGeometry(0.019, 12, 10), new MeshBasicMaterial({ color: "#e8fbff" }));
    eye.position.set(side * 0.05, 0.025, -0.155);
    eye.scale.set(0.8, 1.2, 0.5);
    group.add(eye);
  }
  return group;
}

export class Person {
  readonly entity: Entity;
  readonly #parts: Record<Part, { object: Group; motion: Motion }>;
  readonly #body: Mesh;
  readonly #shadow = blobShadow(0.9);
  readonly #tag;
  #wavingUntilMs = 0;

  constructor(sessionId: string, { name, hue }: AvatarView) {
    const color = colorOf(hue);
    const skin = new MeshStandardMaterial({ color, roughness: 0.6 });
    const part = (object: Group) => ({ object, motion: new Motion() });
    this.#parts = {
      head: part(headModel(color)),
      left: part(handModel("left", skin)),
      right: part(handModel("right", skin)),
    };
    const cloth = new MeshStandardMaterial({ color: color.clone().multiplyScalar(0.62), roughness: 0.8 });
    this.#body = new Mesh(new CapsuleGeometry(0.17, 0.34, 6, 16), cloth);
    this.#tag = nameTag(name, `#${color.getHexString()}`);
    this.#shadow.position.y = 0.015;
    const whole = new Group();
    whole.add(...PARTS.map((name) => this.#parts[name].object), this.#body, this.#tag, this.#shadow);
    this.entity = document.createElement("a-entity") as Entity;
    this.entity.id = `avatar-${sessionId}`;
    this.entity.className = "avatar";
    this.entity.dataset.name = name;
    this.entity.setObject3D("mesh", whole);
  }

  /** Where a part is shown, in the world. */
  position(part: Part): Vector3 {
    return this.#parts[part].object.position;
  }

  heard(avatar: AvatarView, nowMs: number): void {
    for (const name of PARTS) this.#parts[name].motion.add(avatar[name], nowMs);
  }

  wave(nowMs: number): void {
    this.#wavingUntilMs = nowMs + WAVE_MS;
  }

  tick(nowMs: number): void {
    for (const name of PARTS) this.#parts[name].motion.apply(this.#parts[name].object, nowMs);
    const head = this.#parts.head.object;
    const facing = new Vector3(0, 0, 1).applyQuaternion(head.quaternion).setY(0).multiplyScalar(0.06);
    this.#body.position.copy(head.position).add(facing);
    this.#body.position.y -= BODY_BELOW_M;
    this.#tag.position.copy(head.position).y += TAG_ABOVE_M;
    this.#shadow.position.set(head.position.x, this.#shadow.position.y, head.position.z);
    if (nowMs < this.#wavingUntilMs) {
      const hand = this.#parts.right.object;
      hand.position.copy(head.position).add(new Vector3(0.3 + 0.1 * Math.sin(nowMs / 90), 0.2, 0));
    }
  }
}
