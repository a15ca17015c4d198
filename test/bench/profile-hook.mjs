/** Preloaded into each program of a measured deployment: SIGUSR2 begins a CPU profile, the next one writes it, again and again. */
import { mkdirSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { basename, join } from "node:path";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  const session = new Session();
  session.connect();
  let running = false;
  let written = 0;
  const folder = process.env.CENTROID_PROFILES ?? process.env.TMPDIR ?? "/tmp";
  mkdirSync(folder, { recursive: true });
  process.on("SIGUSR2", () => {
    running = !running;
    if (running) {
      session.post("Profiler.enable");
      session.post("Profiler.start");
      return;
    }
    session.post("Profiler.stop", (error, answer) => {
      if (error) throw error;
      const name = `${basename(process.argv[1] ?? "node")}-${process.pid}-${++written}.cpuprofile`;
      writeFileSync(join(folder, name), JSON.stringify(answer.profile));
    });
  });
}
