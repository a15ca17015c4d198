/** One group of benchmarks, in a process of its own; its rows go to the parent. */
import { GROUPS, type GroupName } from "./groups.js";

const run = await GROUPS[process.argv[2] as GroupName].load();
const rows = await run();
process.send?.(rows, () => process.exit(0));
