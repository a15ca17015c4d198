/** Runs in a thread of the room's host: decodes a JPEG and finds the faces in it. Nothing is loaded from the network. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { compileFunction } from "node:vm";
import jpeg from "jpeg-js";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("@vladmandic/face-api/package.json"));
const MODEL = join(folder, "model/tiny_face_detector_model");

/** Once in each thread, before the first picture. What it returns comes with each call. */
export async function start() {
  const api = faceApi();
  await api.tf.setBackend("wasm");
  await api.tf.ready();
  const groups = JSON.parse(readFileSync(`${MODEL}-weights_manifest.json`, "utf8"));
  const { buffer } = new Uint8Array(readFileSync(`${MODEL}.bin`));
  const specs = groups.flatMap((group) => group.weights);
  api.nets.tinyFaceDetector.loadFromWeightMap(api.tf.io.decodeWeights(buffer, specs));
  return { api, options: new api.TinyFaceDetectorOptions({ inputSize: 224, scoreThreshold: 0.4 }) };
}

/** @param {Uint8Array} bytes of a JPEG @returns faces, as shares of the picture's width and height */
export default async function detect(bytes, { api, options }) {
  const { width, height, data } = jpeg.decode(bytes, { useTArray: true, maxResolutionInMP: 1 });
  const picture = api.tf.browser.fromPixels({ width, height, data }, 3);
  try {
    const found = await api.detectAllFaces(picture, options);
    return found.map(({ box: { x, y, width: w, height: h } }) => ({
      x: x / width,
      y: y / height,
      width: w / width,
      height: h / height,
    }));
  } finally {
    picture.dispose();
  }
}

/** face-api's build for Node asks for all of tfjs (140 MB). Its core is enough, if tensors have its functions as methods. */
function faceApi() {
  const core = require("@tensorflow/tfjs-core");
  const methods = core.Tensor.prototype;
  for (const [name, run] of Object.entries(core))
    if (typeof run === "function" && !(name in methods))
      methods[name] = function (...rest) {
        return run(this, ...rest);
      };
  for (const rank of [2, 3, 4])
    methods[`as${rank}D`] = function (...shape) {
      return core.reshape(this, shape);
    };
  methods.toFloat = function () {
    return core.cast(this, "float32");
  };
  const file = join(folder, "dist/face-api.node-wasm.js");
  const module = { exports: {} };
  compileFunction(readFileSync(file, "utf8"), ["exports", "require", "module"], { filename: file })(
    module.exports,
    (name) => require(name === "@tensorflow/tfjs" ? "@tensorflow/tfjs-core" : name),
    module,
  );
  return module.exports;
}
