/** The two ends at which a picture can be looked at: the room, and this page with the same model. */
import type { CentroidRoom } from "@centroid/sdk";
import type { Picture, Pictures } from "./pictures.js";

export interface FaceBox {
  x: number;
  y: number;
  width: number;
  height: number;
  score: number;
  name: string;
}

/** What was found, and where the time went. */
export interface Answer {
  end: "local" | "edge";
  faces: FaceBox[];
  /** ms each; in the order in which they come. */
  parts: { capture: number; encode: number; there: number; queue: number; recognise: number; back: number };
  totalMs: number;
}

interface Reply {
  queueMs: number;
  workMs: number;
  faces: FaceBox[];
}

/** A host that is lost has a successor within a few seconds. */
const REQUEST_TIMEOUT_MS = 15_000;

export class EdgeEnd {
  readonly #room: CentroidRoom;
  readonly #pictures: Pictures;
  #n = 0;

  constructor(room: CentroidRoom, pictures: Pictures) {
    this.#room = room;
    this.#pictures = pictures;
  }

  /** @throws Error with the room's own words, such as that a model is missing there */
  async look({ captureMs }: Picture): Promise<Answer> {
    const startedMs = performance.now();
    const jpeg = await this.#pictures.jpeg();
    const sentMs = performance.now();
    const n = ++this.#n;
    const { queueMs, workMs, faces } = await this.#room.request<unknown, Reply>(
      "see" as never,
      { n, nonce: n, jpeg } as never,
      { timeout: REQUEST_TIMEOUT_MS },
    );
    const answeredMs = performance.now();
    // Both ways alike: the clocks of two machines do not tell which one is slower.
    const wayMs = Math.max(0, answeredMs - sentMs - queueMs - workMs) / 2;
    return {
      end: "edge",
      faces,
      parts: {
        capture: captureMs,
        encode: sentMs - startedMs,
        there: wayMs,
        queue: queueMs,
        recognise: workMs,
        back: wayMs,
      },
      totalMs: captureMs + answeredMs - startedMs,
    };
  }
}

/** What the page needs of the module that stands beside it. */
interface LocalModule {
  find(image: ImageData): Promise<Omit<FaceBox, "name">[]>;
}

export class LocalEnd {
  #module: Promise<LocalModule> | undefined;

  /** Loads the model, the first time. @throws Error where the page was installed without it */
  async look({ image, captureMs }: Picture): Promise<Answer> {
    this.#module ??= load();
    const { find } = await this.#module;
    const startedMs = performance.now();
    const faces = await find(image);
    const recognise = performance.now() - startedMs;
    return {
      end: "local",
      faces: faces.map((face) => ({ ...face, name: "" })),
      parts: { capture: captureMs, encode: 0, there: 0, queue: 0, recognise, back: 0 },
      totalMs: captureMs + recognise,
    };
  }
}

async function load(): Promise<LocalModule> {
  const { localModel } = await import("./local-model.js");
  return localModel();
}
