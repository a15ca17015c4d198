/** Fewer pixels on machines that draw slowly, so that movement stays smooth; never in a headset, which does its own. */
import type { Scene } from "aframe";

const SLOW_FRAME_MS = 40;
const FRAMES = 20;
const STEP = 0.75;
const LEAST = 0.5;

export class Resolution {
  readonly #scene: Scene;
  #frames = 0;
  #sumMs = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  tick(deltaMs: number): void {
    this.#sumMs += deltaMs;
    if (++this.#frames < FRAMES) return;
    const { renderer } = this.#scene;
    const ratio = renderer.getPixelRatio();
    if (this.#sumMs / FRAMES > SLOW_FRAME_MS && ratio > LEAST && !this.#scene.is("vr-mode"))
      renderer.setPixelRatio(Math.max(LEAST, ratio * STEP));
    this.#frames = this.#sumMs = 0;
  }
}
