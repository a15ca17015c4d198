import { defineConfig } from "vite";

const broker = "http://127.0.0.1:2567";

export default defineConfig({
  root: "web",
  base: "./",
  build: { outDir: "../dist", emptyOutDir: true, target: "es2022" },
  server: { proxy: { "/matchmake": broker, "/centroid": broker } },
  test: { root: ".", testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 15_000 } } },
});
