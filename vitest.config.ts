/** How tests run: against the built packages, with generous limits for machines under load. */
import { defineConfig } from "vitest/config";
import OneHeavyAtATime from "./test/setup/one-heavy-at-a-time.js";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/setup/built.ts"],
    reporters: ["default", "./test/setup/closing-line.ts"],
    // Real processes on small machines: what is slow is not wrong.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    // Built code is Node's to load, as it is for users; transformed once more it cost every file seconds.
    server: { deps: { external: [/\/dist\//] } },
    sequence: { sequencer: OneHeavyAtATime },
    // Most files start processes of their own; more at once would fight for the cores.
    maxWorkers: 2,
    onConsoleLog: (log) =>
      /\[Colyseus reconnection\]|onMessage\(\) not registered/.test(log) ? false : undefined,
  },
});
