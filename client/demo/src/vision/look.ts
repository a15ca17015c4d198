/** The vision room's worker: decodes a picture and finds the faces in it. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadFaceApi } from "./load-face-api.js";
import { FaceModel, type SeenFace } from "./model.js";

export interface Look {
  jpeg: Uint8Array;
  /** Say who it is, too: three times the work. */
  describe: boolean;
}
export type Seen = SeenFace[];

/** A picture may say that it is large; nothing is done with more than this, in megapixels and MB. */
const MAX_MEGAPIXELS = 1;
const MAX_DECODER_MB = 64;

interface JpegDecoder {
  decode(
    bytes: Uint8Array,
    options: { useTArray: true; maxResolutionInMP: number; maxMemoryUsageInMB: number },
  ): { width: number; height: number; data: Uint8Array };
}

interface Eye {
  model: FaceModel;
  decoder: JpegDecoder;
}

/** Loads the model: once in each thread. */
export async function start(): Promise<Eye> {
  const require = createRequire(import.meta.url);
  const folder = modelFolder(require);
  const api = loadFaceApi(require, join(folder, "dist/face-api.node-wasm.js"));
  const model = await FaceModel.load(
    api,
    ["tinyFaceDetector", "faceLandmark68TinyNet", "faceRecognitionNet"],
    async (name) => new Uint8Array(await readFile(join(folder, "model", name))).buffer,
  );
  return { model, decoder: require("jpeg-js") as JpegDecoder };
}

/** @throws Error that says what to install */
function modelFolder(require: NodeJS.Require): string {
  try {
    return dirname(require.resolve("@vladmandic/face-api/package.json"));
  } catch {
    throw new Error(
      "the face model is not installed; npm install @vladmandic/face-api @tensorflow/tfjs-backend-wasm jpeg-js",
    );
  }
}

export default async function look({ jpeg, describe }: Look, { model, decoder }: Eye): Promise<Seen> {
  let pixels: { width: number; height: number; data: Uint8Array };
  try {
    pixels = decoder.decode(jpeg, {
      useTArray: true,
      maxResolutionInMP: MAX_MEGAPIXELS,
      maxMemoryUsageInMB: MAX_DECODER_MB,
    });
  } catch (cause) {
    throw new Error(`not a picture: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return model.find(pixels, describe);
}
