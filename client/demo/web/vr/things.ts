/** Things on the table: each looks its part, glides between patches, and glows when within reach or held. */
import type { Entity } from "aframe";
import {
  BoxGeometry,
  type BufferGeometry,
  ConeGeometry,
  CylinderGeometry,
  Mesh,
  MeshStandardMaterial,
  SphereGeometry,
  TorusGeometry,
  Vector3,
} from "three";
import { TABLE_RADIUS_M, TABLE_TOP_M, THING_RADIUS_M } from "../../src/state/furniture.js";
import { Motion } from "./motion.js";
import { blobShadow } from "./paint.js";
import type { ThingView } from "./view.js";

const R = THING_RADIUS_M;
const LOOKS: Record<string, { color: string; shape: () => BufferGeometry }> = {
  ball: { color: "#ff6b6b", shape: () => new SphereGeometry(R, 24, 18) },
  cube: {
    color: "#4ea8ff",
    shape: () => new BoxGeometry(1.5 * R, 1.5 * R, 1.5 * R).translate(0, -0.25 * R, 0),
  },
  cone: { color: "#ffd166", shape: () => new ConeGeometry(0.9 * R, 2 * R, 28) },
  ring: { color: "#c792ff", shape: () => new TorusGeometry(0.75 * R, 0.25 * R, 14, 32) },
  book: {
    color: "#5ad8a6",
    shape: () => new BoxGeometry(1.6 * R, 0.5 * R, 2 * R).translate(0, -0.75 * R, 0),
  },
  cup: {
    color: "#ff9f5a",
    shape: () => new CylinderGeometry(0.7 * R, 0.5 * R, 1.7 * R, 24).translate(0, -0.15 * R, 0),
  },
};
/** Follows the room's word about a held thing this fast, ms: no delay on top of the distance. */
const HELD_TAU_MS = 40;

export class Props {
  readonly entity: Entity;
  readonly mesh: Mesh<BufferGeometry, MeshStandardMaterial>;
  readonly #motion = new Motion();
  readonly #shadow = blobShadow(3.4 * R, 0.6);
  readonly #told = new Vector3();
  heldBy = "";

  constructor(objectId: string, { kind }: ThingView) {
    const { color, shape } = LOOKS[kind] ?? { color: "#fff", shape: () => new SphereGeometry(R) };
    this.mesh = new Mesh(
      shape(),
      new MeshStandardMaterial({ color, roughness: 0.45, emissive: color, emissiveIntensity: 0 }),
    );
    this.mesh.userData.objectId = objectId;
    this.entity = document.createElement("a-entity") as Entity;
    this.entity.id = `thing-${objectId}`;
    this.entity.className = "thing";
    this.entity.setObject3D("mesh", this.mesh);
    this.entity.setObject3D("shadow", this.#shadow);
  }

  heard({ transform, heldBy }: ThingView, nowMs: number): void {
    this.heldBy = heldBy;
    this.entity.dataset.heldBy = heldBy;
    this.#told.set(transform.x, transform.y, transform.z);
    this.#motion.add(transform, nowMs);
  }

  /** @param own held by this player: shown as the room knows it, so that the hand feels the distance */
  tick(nowMs: number, deltaMs: number, own: boolean, aimed: boolean): void {
    if (own) this.mesh.position.lerp(this.#told, 1 - Math.exp(-deltaMs / HELD_TAU_MS));
    else this.#motion.apply(this.mesh, nowMs);
    const { x, y, z } = this.mesh.position;
    const overTable = Math.hypot(x, z) < TABLE_RADIUS_M && y > TABLE_TOP_M;
    this.#shadow.position.set(x, (overTable ? TABLE_TOP_M : 0) + 0.012, z);
    this.mesh.material.emissiveIntensity = this.heldBy !== "" ? 0.45 : aimed ? 0.3 : 0;
  }
}
