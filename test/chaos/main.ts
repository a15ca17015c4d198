/** `npm run chaos -- --minutes 10 --seed S`: a long run, with every fault as it happens and what came of it. */
import { parseArgs } from "node:util";
import { chaos } from "./run.js";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const minutes = Number(values.minutes);
if (!Number.isFinite(seed) || !(minutes > 0)) {
  console.error("use: npm run chaos -- --minutes 10 --seed 1");
  process.exit(2);
}
console.log(`seed ${seed}`);
const startedAt = Date.now();
const result = await chaos({
  seed,
  forMs: minutes * 60_000,
  say: (line) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}`),
});
console.table(result.faults);
const { players, said, moves, restored, violations } = result;
console.log(
  `${players} players said ${said} things; sessions moved ${moves} times and were restored ${restored} times`,
);
for (const violation of violations) console.log(`VIOLATION ${violation}`);
console.log(violations.length === 0 ? "nothing lost" : `${violations.length} violations, seed ${seed}`);
process.exit(violations.length === 0 ? 0 : 1);
