/** One page, one script, one style sheet: so that a recording can be exported as a single file. */
import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [preact()],
  base: "./",
  build: {
    target: "es2023",
    modulePreload: false,
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      output: { codeSplitting: false },
      // How long a plugin took is no news to whoever starts the broker.
      checks: { pluginTimings: false },
    },
  },
});
