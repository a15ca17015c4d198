/**
 * The face model, the same in a worker of a room and in a page: @vladmandic/face-api's tiny detector, and its descriptor
 * for who it is, on tfjs' WASM backend. Loads nothing but what the caller reads for it.
 */

/** Pixels with four bytes each: what a JPEG decodes to, or a canvas holds. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

/** A face, as shares of the picture's width and height; with its descriptor if that was asked for. */
export interface SeenFace {
  x: number;
  y: number;
  width: number;
  height: number;
  score: number;
  descriptor?: number[];
}

/** Reads a file of the model folder, e.g. `tiny_face_detector_model.bin`. */
export type ReadModelFile = (name: string) => Promise<ArrayBuffer>;

interface Tensor {
  dispose(): void;
}
interface Net {
  loadFromWeightMap(weights: unknown): void;
}
interface LandmarkNet extends Net {
  detectLandmarks(input: Tensor): Promise<unknown>;
}
interface RecognitionNet extends Net {
  computeFaceDescriptor(input: Tensor): Promise<unknown>;
}
interface Detection {
  box: { x: number; y: number; width: number; height: number };
  score: number;
}
interface Described {
  detection: Detection;
  descriptor: Float32Array;
}
interface Detecting extends PromiseLike<Detection[]> {
  withFaceLandmarks(tiny: boolean): { withFaceDescriptors(): PromiseLike<Described[]> };
}
/** The part of face-api that is used here; its own types need a page's. */
export interface FaceApi {
  tf: {
    setBackend(name: "wasm"): Promise<boolean>;
    ready(): Promise<void>;
    enableProdMode(): void;
    io: { decodeWeights(bytes: ArrayBuffer, specs: unknown[]): unknown };
    browser: { fromPixels(pixels: Pixels, channels: 3): Tensor };
  };
  nets: { tinyFaceDetector: Net; faceLandmark68TinyNet: LandmarkNet; faceRecognitionNet: RecognitionNet };
  TinyFaceDetectorOptions: new (options: { inputSize: number; scoreThreshold: number }) => unknown;
  detectAllFaces(input: Tensor, options: unknown): Detecting;
}

/** Smaller ones miss faces in groups. */
const INPUT_SIZE = 224;
const MIN_SCORE = 0.4;
const FILES = {
  tinyFaceDetector: "tiny_face_detector_model",
  faceLandmark68TinyNet: "face_landmark_68_tiny_model",
  faceRecognitionNet: "face_recognition_model",
} as const satisfies Record<keyof FaceApi["nets"], string>;

export class FaceModel {
  readonly #api: FaceApi;
  readonly #options: unknown;

  private constructor(api: FaceApi) {
    this.#api = api;
    this.#options = new api.TinyFaceDetectorOptions({ inputSize: INPUT_SIZE, scoreThreshold: MIN_SCORE });
  }

  /**
   * Loads the model and has each part work once: the first time takes a second.
   * @param nets which parts; the detector alone cannot describe
   */
  static async load(
    api: FaceApi,
    nets: readonly (keyof typeof FILES)[],
    read: ReadModelFile,
  ): Promise<FaceModel> {
    await api.tf.setBackend("wasm");
    api.tf.enableProdMode();
    await api.tf.ready();
    for (const net of nets) {
      const [manifest, weights] = await Promise.all([
        read(`${FILES[net]}-weights_manifest.json`),
        read(`${FILES[net]}.bin`),
      ]);
      const groups = JSON.parse(new TextDecoder().decode(manifest)) as { weights: unknown[] }[];
      const specs = groups.flatMap((group) => group.weights);
      api.nets[net].loadFromWeightMap(api.tf.io.decodeWeights(weights, specs));
    }
    const model = new FaceModel(api);
    const empty = { data: new Uint8Array(320 * 240 * 4), width: 320, height: 240 };
    await model.find(empty, false);
    const tensor = api.tf.browser.fromPixels(empty, 3);
    if (nets.includes("faceLandmark68TinyNet")) await api.nets.faceLandmark68TinyNet.detectLandmarks(tensor);
    if (nets.includes("faceRecognitionNet")) await api.nets.faceRecognitionNet.computeFaceDescriptor(tensor);
    tensor.dispose();
    return model;
  }

  async find(pixels: Pixels, describe: boolean): Promise<SeenFace[]> {
    const tensor = this.#api.tf.browser.fromPixels(pixels, 3);
    try {
      const detecting = this.#api.detectAllFaces(tensor, this.#options);
      if (!describe) return (await detecting).map((found) => shares(found, pixels));
      return (await detecting.withFaceLandmarks(true).withFaceDescriptors()).map(
        ({ detection, descriptor }) => ({
          ...shares(detection, pixels),
          descriptor: [...descriptor],
        }),
      );
    } finally {
      tensor.dispose();
    }
  }
}

function shares({ box, score }: Detection, { width, height }: Pixels): SeenFace {
  return {
    x: box.x / width,
    y: box.y / height,
    width: box.width / width,
    height: box.height / height,
    score,
  };
}
