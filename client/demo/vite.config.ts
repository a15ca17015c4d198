/** Pages `/play/`, `/see/` and `/vr/`, with everything they need: nothing is loaded from elsewhere. */
import { cp, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const MODEL = "tiny_face_detector_model";

/** The face model lies beside `/see/`, not in its bundle: it is 2 MB, and loaded only if the page is to look itself. */
function faceModel(): Plugin {
  const { resolve } = createRequire(import.meta.url);
  const folderOf = (name: string): string => dirname(resolve(`${name}/package.json`));
  return {
    name: "face-model",
    async closeBundle() {
      const faceApi = folderOf("@vladmandic/face-api");
      const wasm = join(folderOf("@tensorflow/tfjs-backend-wasm"), "dist");
      const to = join(import.meta.dirname, "dist-web/see/model");
      await mkdir(to, { recursive: true });
      await Promise.all(
        [
          join(faceApi, "dist/face-api.esm.js"),
          join(faceApi, `model/${MODEL}.bin`),
          join(faceApi, `model/${MODEL}-weights_manifest.json`),
          join(wasm, "tfjs-backend-wasm.wasm"),
          join(wasm, "tfjs-backend-wasm-simd.wasm"),
        ].map((file) => cp(file, join(to, file.slice(file.lastIndexOf("/") + 1)))),
      );
    },
  };
}

export default defineConfig({
  root: join(import.meta.dirname, "web"),
  base: "./",
  plugins: [faceModel()],
  // A-Frame and the page draw with the same copy.
  resolve: { dedupe: ["three"] },
  build: {
    outDir: "../dist-web",
    emptyOutDir: true,
    target: "es2023",
    // A-Frame with three.js is one piece of this size.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      input: ["play", "see", "vr"].map((page) => join(import.meta.dirname, "web", page, "index.html")),
      // How long a plugin took is no news to whoever starts the broker.
      checks: { pluginTimings: false },
    },
  },
});
