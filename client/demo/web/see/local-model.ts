/** The face model in this page, from files that lie beside it: nothing is loaded from elsewhere. */
import { type FaceApi, FaceModel, type SeenFace } from "../../src/vision/model.js";

const FOLDER = new URL("./model/", location.href);

async function bytesOf(name: string): Promise<ArrayBuffer> {
  const response = await fetch(new URL(name, FOLDER));
  if (!response.ok)
    throw new Error(
      "This page was installed without the face model. The edge can still look, if it has one.",
    );
  return response.arrayBuffer();
}

/** Loads the detector; who it is, only the room says. */
export async function localModel(): Promise<{ find(image: ImageData): Promise<SeenFace[]> }> {
  const code = new URL("face-api.esm.js", FOLDER).href;
  // Tells a missing file apart from a broken one.
  await bytesOf("tiny_face_detector_model-weights_manifest.json");
  const api = (await import(/* @vite-ignore */ code)) as FaceApi & {
    tf: { setWasmPaths(folder: string): void };
  };
  api.tf.setWasmPaths(FOLDER.href);
  const model = await FaceModel.load(api, ["tinyFaceDetector"], bytesOf);
  return { find: (image) => model.find(image, false) };
}
