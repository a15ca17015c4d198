/** One group of benchmarks, in a process of its own; its rows go to the parent. */
import { type BenchOptions, GROUPS, type GroupName } from "./groups.js";

const run = await GROUPS[process.argv[2] as GroupName].load();
const rows = await run(JSON.parse(process.argv[3] ?? "{}") as BenchOptions);
process.send?.(rows, () => process.exit(0));
