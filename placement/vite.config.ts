/** The script of the simulation page: the engine and what draws it, as one file that loads nothing. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  build: {
    target: "es2023",
    outDir: "dist-web",
    lib: { entry: "page/main.ts", formats: ["iife"], name: "centroidSimulation", fileName: () => "page.js" },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
