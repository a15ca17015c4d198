/** The adapter as one classic script, for scenes that load networked-aframe with a script tag. */
import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: "dist-web",
    target: "es2023",
    lib: {
      entry: join(import.meta.dirname, "src/index.ts"),
      name: "CentroidNafAdapter",
      formats: ["iife"],
      fileName: () => "centroid-naf-adapter.js",
    },
  },
});
