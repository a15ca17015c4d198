/** Two pages, `/play/` and `/vr/`, with everything they need: nothing is loaded from elsewhere. */
import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  root: join(import.meta.dirname, "web"),
  base: "./",
  // A-Frame and the page draw with the same copy.
  resolve: { dedupe: ["three"] },
  build: {
    outDir: "../dist-web",
    emptyOutDir: true,
    target: "es2023",
    // A-Frame with three.js is one piece of this size.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      input: ["play", "vr"].map((page) => join(import.meta.dirname, "web", page, "index.html")),
      // How long a plugin took is no news to whoever starts the broker.
      checks: { pluginTimings: false },
    },
  },
});
