/**
 * Where a player aims: at the pointer; with no pointer over the field, at the target as this window sees it. Then
 * distance shows by itself: what is seen late is aimed at late, and shots miss.
 */

interface Point {
  x: number;
  y: number;
}

/** A shot so often while nobody has the pointer there. */
const FIRE_EVERY_MS = 900;

export class Aim {
  #pointer: Point | undefined;
  #clicked = false;
  #firedAtMs = performance.now();

  /** @param perPixel units of the field per pixel of the canvas, now */
  constructor(canvas: HTMLCanvasElement, perPixel: () => number) {
    const at = (event: PointerEvent): Point => {
      const box = canvas.getBoundingClientRect();
      return {
        x: (event.clientX - box.left - box.width / 2) * perPixel(),
        y: (event.clientY - box.top - box.height / 2) * perPixel(),
      };
    };
    canvas.addEventListener("pointermove", (event) => {
      this.#pointer = at(event);
    });
    canvas.addEventListener("pointerdown", (event) => {
      this.#pointer = at(event);
      this.#clicked = true;
    });
    canvas.addEventListener("pointerleave", () => {
      this.#pointer = undefined;
    });
  }

  /** True while a person aims. */
  get byHand(): boolean {
    return this.#pointer !== undefined;
  }

  /** What to send to the room now. */
  next(seen: Point | undefined): Point & { fire: boolean } {
    const now = performance.now();
    const byItself = this.#pointer === undefined && now - this.#firedAtMs >= FIRE_EVERY_MS;
    const { x, y } = this.#pointer ?? seen ?? { x: 0, y: 0 };
    const fire = this.#clicked || byItself;
    if (fire) this.#firedAtMs = now;
    this.#clicked = false;
    return { x, y, fire };
  }
}
