/** Programs of a container, as its host sees and stops them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import {
  continuePrograms,
  programsOf,
  stopPrograms,
} from "../../infra/container-carrier/dist/container/processes.js";

const THREADS = 12;
/** More threads that compute than there are cores: some of them wait for their turn whenever somebody looks. */
const PROGRAM = `
  const { Worker } = require("node:worker_threads");
  const ready = Array.from({ length: ${THREADS} }, () => {
    const worker = new Worker("require('node:worker_threads').parentPort.postMessage(0); for (;;);", { eval: true });
    return new Promise((resolve) => worker.once("message", resolve));
  });
  Promise.all(ready).then(() => console.log("ready"));
`;

/** A shell in the place of a container's first process, with that program as its child. */
async function startPrograms() {
  const shell = spawn("sh", ["-c", '"$0" -e "$1"; true', process.execPath, PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(shell, "close");
  await once(createInterface({ input: shell.stdout }), "line");
  const pid = shell.pid ?? 0;
  return {
    pid,
    async [Symbol.asyncDispose]() {
      for (const program of programsOf(pid)) process.kill(program, "SIGKILL");
      await ended;
    },
  };
}

const states = (pid: number): string[] =>
  programsOf(pid).flatMap((program) =>
    readdirSync(`/proc/${program}/task`).map(
      (thread) =>
        /^State:\s+(\S)/m.exec(readFileSync(`/proc/${program}/task/${thread}/status`, "utf8"))?.[1] ?? "",
    ),
  );

describe("a container's programs", () => {
  it("stand still, each thread of them, when they are said to be stopped, and go on", async () => {
    await using programs = await startPrograms();
    for (let round = 0; round < 5; round++) {
      await stopPrograms(programs.pid);
      const stopped = states(programs.pid);
      expect(stopped.length).toBeGreaterThan(THREADS);
      expect(new Set(stopped)).toEqual(new Set(["T"]));
      continuePrograms(programs.pid);
      await expect.poll(() => states(programs.pid)).toContain("R");
    }
  });
});
