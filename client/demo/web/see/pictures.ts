/** Pictures from the camera, or from the drawn clip where there is none; small ones to look at, as JPEG for the way. */
import { drawClip } from "./clip.js";

/** What models look at; larger ones cost time and find little more. */
const WIDTH = 320;
const HEIGHT = 240;
const JPEG_QUALITY = 0.6;

export interface Picture {
  image: ImageData;
  captureMs: number;
}

export class Pictures {
  readonly #canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  readonly #paint: OffscreenCanvasRenderingContext2D;
  #video: HTMLVideoElement | undefined;

  constructor() {
    const paint = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (paint === null) throw new Error("this browser draws no pictures");
    this.#paint = paint;
  }

  /** From the camera from now on. @throws DOMException if there is none, or it may not be used */
  async useCamera(): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { width: 640, height: 480 },
      audio: false,
    });
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = stream;
    await video.play();
    this.#video = video;
  }

  useClip(): void {
    const stream = this.#video?.srcObject;
    if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
    this.#video = undefined;
  }

  /** The picture of now, in full size. */
  show(paint: CanvasRenderingContext2D): void {
    const { width, height } = paint.canvas;
    if (this.#video === undefined) drawClip(paint, width, height, performance.now());
    else paint.drawImage(this.#video, 0, 0, width, height);
  }

  /** The same, small, to look at. */
  take(): Picture {
    const startedMs = performance.now();
    if (this.#video === undefined)
      drawClip(this.#paint as unknown as CanvasRenderingContext2D, WIDTH, HEIGHT, startedMs);
    else this.#paint.drawImage(this.#video, 0, 0, WIDTH, HEIGHT);
    const image = this.#paint.getImageData(0, 0, WIDTH, HEIGHT);
    return { image, captureMs: performance.now() - startedMs };
  }

  /** The picture that was taken last. */
  async jpeg(): Promise<Uint8Array> {
    const blob = await this.#canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
    return new Uint8Array(await blob.arrayBuffer());
  }
}
