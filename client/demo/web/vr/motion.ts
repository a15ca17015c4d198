/** Smooth motion between patches: what is shown lags a little and glides from one known pose to the next. */
import { type Object3D, Quaternion, Vector3 } from "three";
import type { TransformView } from "./view.js";

/** Two patches of 50 ms and some jitter. */
const DELAY_MS = 120;
const MAX_KEPT = 16;
/** Poses further apart than this are a teleport or a gap, not a movement, ms. */
const MAX_STRETCH_MS = 400;

interface Snapshot {
  atMs: number;
  position: Vector3;
  turn: Quaternion;
}

export class Motion {
  readonly #snapshots: Snapshot[] = [];

  /** Takes in what the room says now. */
  add({ x, y, z, qx, qy, qz, qw }: TransformView, atMs: number): void {
    const last = this.#snapshots.at(-1);
    const position = new Vector3(x, y, z);
    const turn = new Quaternion(qx, qy, qz, qw).normalize();
    // Of a pose that stays only the ends are kept: movement starts from when it last was there.
    if (
      last?.position.equals(position) &&
      last.turn.equals(turn) &&
      this.#snapshots.at(-2)?.position.equals(position)
    )
      last.atMs = atMs;
    else this.#snapshots.push({ atMs, position, turn });
    if (this.#snapshots.length > MAX_KEPT) this.#snapshots.shift();
  }

  /** Moves the object to where it was `DELAY_MS` ago. */
  apply(object: Object3D, nowMs: number): void {
    const shownMs = nowMs - DELAY_MS;
    while ((this.#snapshots[1]?.atMs ?? Number.POSITIVE_INFINITY) <= shownMs) this.#snapshots.shift();
    const [from, to] = this.#snapshots;
    if (from === undefined) return;
    if (to === undefined || to.atMs - from.atMs > MAX_STRETCH_MS) {
      const at = to !== undefined && shownMs > from.atMs ? to : from;
      object.position.copy(at.position);
      object.quaternion.copy(at.turn);
      return;
    }
    const share = Math.min(1, Math.max(0, (shownMs - from.atMs) / (to.atMs - from.atMs)));
    object.position.lerpVectors(from.position, to.position, share);
    object.quaternion.slerpQuaternions(from.turn, to.turn, share);
  }
}
