/**
 * `npm run simulate-faults -- --minutes 10 --seed S`: seed after seed until the time is over or a promise is broken;
 * then the fewest actions that break it, and their history. `--once` runs that seed only and prints all of it,
 * `--keep-going` counts broken promises, `--disk` has the broker's store fail as well, `--endings` ends brokers as an
 * operator does and lets their port go dark, `--brokers 2` has two of them on one Redis.
 */
import { parseArgs } from "node:util";
import { HOSTS, PLAYERS } from "./plan.js";
import { print } from "./print.js";
import { bundleProduct } from "./product.js";
import { programs } from "./program.js";
import { shrink } from "./shrink.js";
import { simulate } from "./simulate.js";

/** So many runs between two lines of progress. */
const PROGRESS = 100;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    once: { type: "boolean", default: false },
    disk: { type: "boolean", default: false },
    endings: { type: "boolean", default: false },
    brokers: { type: "string", default: "1" },
    "keep-going": { type: "boolean", default: false },
  },
});
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const minutes = Number(values.minutes);
const brokers = values.brokers === "2" ? 2 : 1;
if (!Number.isSafeInteger(first) || !(minutes > 0)) {
  console.error(
    "use: npm run simulate-faults -- --minutes 10 --seed 1 [--disk] [--endings] [--brokers 2] [--once] [--keep-going]",
  );
  process.exit(2);
}
const world = programs((await bundleProduct())(), HOSTS.length, PLAYERS.length);
const startedAtMs = performance.now();
const endsAtMs = startedAtMs + minutes * 60_000;
let runs = 0;
let broken = 0;
let simulatedMs = 0;
for (let seed = first; runs === 0 || (!values.once && performance.now() < endsAtMs); seed++) {
  const run = await simulate(world, seed, { disk: values.disk, endings: values.endings, brokers });
  runs++;
  simulatedMs += run.simulatedMs;
  const breaks = run.violations.length > 0;
  if (breaks) broken++;
  if (values.once) console.log(print(run, true).join("\n"));
  else if (breaks) {
    if (values["keep-going"]) console.log(`seed ${seed}: ${run.violations.join("; ")}`);
    else {
      console.log(`seed ${seed} breaks a promise: ${run.violations.join("; ")}`);
      console.log(print(await shrink(world, run)).join("\n"));
      break;
    }
  }
  if (runs % PROGRESS === 0) console.log(`${runs} seeds, the last is ${seed}, ${broken} break a promise`);
}
const tookS = (performance.now() - startedAtMs) / 1_000;
console.log(
  `${runs} seeds from ${first}, ${(simulatedMs / 3_600_000).toFixed(1)} h simulated in ${tookS.toFixed(0)} s, ` +
    `${broken} break a promise`,
);
process.exit(broken === 0 ? 0 : 1);
