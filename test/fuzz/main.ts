/**
 * `npm run fuzz [-- --inputs 1000000 --seed 1]`: broken inputs for everything that reads what others send or write, then
 * hostile connections to every port of a running deployment.
 * The readers run in a child process: one that hangs is ended, with the seed that led there.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type FuzzReport, fuzz } from "./run.js";
import { fuzzPorts } from "./run-ports.js";
import { TARGETS } from "./targets.js";

const HANG_MS = 60_000;

type Message = { progress: string } | { report: FuzzReport };

function child(seed: number, inputs: number): void {
  const send = (message: Message): void => void process.send?.(message);
  send({ report: fuzz(TARGETS, seed, inputs, (name, at) => send({ progress: `${name}, input ${at}` })) });
  process.disconnect();
}

function parent(seed: number, inputs: number): void {
  process.stdout.write(`seed ${seed}, ${inputs.toLocaleString("en")} inputs for ${TARGETS.length} readers\n`);
  const running = fork(fileURLToPath(import.meta.url), ["--seed", String(seed), "--inputs", String(inputs)], {
    execArgv: process.execArgv,
    env: { ...process.env, CENTROID_FUZZ_CHILD: "1" },
  });
  let last = "the start";
  let reported = false;
  const hung = (): void => {
    process.stderr.write(`hangs after ${last} (seed ${seed})\n`);
    running.kill("SIGKILL");
  };
  let watchdog = setTimeout(hung, HANG_MS);
  running.on("message", (message: Message) => {
    clearTimeout(watchdog);
    if ("progress" in message) {
      last = message.progress;
      watchdog = setTimeout(hung, HANG_MS);
      return;
    }
    reported = true;
    process.exitCode = show(message.report);
    void ports(seed, inputs);
  });
  running.once("exit", (code, signal) => {
    clearTimeout(watchdog);
    if (reported) return;
    process.stderr.write(`ended (${signal ?? `code ${code}`}) after ${last} (seed ${seed})\n`);
    process.exitCode = 1;
  });
}

/** Connections are dearer than inputs to a reader. */
const INPUTS_PER_CONNECTION = 500;

async function ports(seed: number, inputs: number): Promise<void> {
  const { ports, failures } = await fuzzPorts(seed, Math.ceil(inputs / INPUTS_PER_CONNECTION));
  for (const { name, inputs } of ports) process.stdout.write(`${name.padEnd(34)} ${inputs} connections\n`);
  for (const { name, seed, problem } of failures)
    process.stderr.write(`FAILED ${name}, input seed ${seed}: ${problem}\n`);
  process.stdout.write(`${failures.length} failures at ports\n`);
  if (failures.length > 0) process.exitCode = 1;
}

function show({ targets, failures }: FuzzReport): number {
  for (const { name, inputs, accepted, perSecond, slowestMs, grownBytes } of targets) {
    const figures = [
      `${inputs.toLocaleString("en")} inputs`,
      `${Math.round((100 * accepted) / inputs)} % taken`,
      `${Math.round(perSecond).toLocaleString("en")}/s`,
      `slowest ${slowestMs.toFixed(1)} ms`,
      `memory ${grownBytes < 0 ? "-" : "+"}${(Math.abs(grownBytes) / 1e6).toFixed(1)} MB`,
    ];
    process.stdout.write(`${name.padEnd(34)} ${figures.join(", ")}\n`);
  }
  for (const { name, seed, problem } of failures)
    process.stderr.write(`FAILED ${name}, input seed ${seed}: ${problem}\n`);
  process.stdout.write(`${failures.length} failures\n`);
  return failures.length === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});
const [seed, inputs] = [Number(values.seed), Number(values.inputs)];
if (!Number.isInteger(seed) || !Number.isInteger(inputs) || inputs < 1) {
  process.stderr.write("error --seed and --inputs are whole numbers\n");
  process.exitCode = 2;
} else if (process.env.CENTROID_FUZZ_CHILD === "1") child(seed, inputs);
else parent(seed, inputs);
