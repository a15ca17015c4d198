/** `npm run chaos -- --minutes 10 --seed S --store embedded`: a long run, with every fault as it happens. */
import { parseArgs } from "node:util";
import { chaos } from "./run.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    store: { type: "string", default: "redis" },
    rooms: { type: "string" },
    faults: { type: "string" },
    lanes: { type: "string", default: "2" },
    keep: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const minutes = Number(values.minutes);
const lanes = Number(values.lanes);
const { store } = values;
if (
  !Number.isFinite(seed) ||
  !(minutes > 0) ||
  !(lanes >= 0) ||
  (store !== "redis" && store !== "embedded")
) {
  console.error(
    "use: npm run chaos -- [--minutes 10] [--seed 1] [--store embedded|redis] [--rooms ledger,vault]\n" +
      "       [--faults 'broker killed,host killed'] [--lanes 2] [--keep FOLDER]",
  );
  process.exit(2);
}
console.log(`seed ${seed}, ${store} store, ${minutes} min`);
const startedAt = Date.now();
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
const result = await chaos({
  seed,
  store,
  lanes,
  forMs: minutes * 60_000,
  signal: stop.signal,
  ...(values.rooms !== undefined && { roomTypes: values.rooms.split(",") }),
  ...(values.keep !== undefined && { keep: values.keep }),
  ...(values.faults !== undefined && { faults: values.faults.split(",").map((name) => name.trim()) }),
  say: (line) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}`),
});
console.table(result.faults);
const { players, sent, moves, restored, violations } = result;
console.log(
  `${players} players sent ${sent} messages; sessions moved ${moves} times and were restored ${restored} times`,
);
for (const violation of violations) console.log(`VIOLATION ${violation}`);
console.log(violations.length === 0 ? "no violation" : `${violations.length} violations, seed ${seed}`);
process.exit(violations.length === 0 ? 0 : 1);
