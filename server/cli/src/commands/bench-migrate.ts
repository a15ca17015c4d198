/** `centroid bench migrate`: what a player notices when a room's whole machine moves, and when only its state does. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { VM_LOADS, type VmLoad } from "@centroid/emulation/vm-loads";
import { quantileOf } from "@centroid/placement";
import { type CarrierKind, CentroidError } from "@centroid/protocol";
import { type Command, Option } from "commander";
import type { MoveRun } from "../benches/handoff-bench.js";
import { migrateReport } from "../benches/migrate-report.js";
import { color, fail, ms, print, table } from "../terminal/output.js";
import { DEFAULT_IMAGE_DIR } from "./image.js";

interface MigrateFlags {
  carrier: CarrierKind;
  mode: "precopy" | "postcopy" | "hybrid";
  load: VmLoad | "all";
  runs: number;
  memory: number;
  imageDir: string;
  json?: boolean;
  html?: string;
}

const HEAD = ["LOAD", "MODE", "DONE", "TOTAL", "GAP", "GAP MAX", "MOVED", "PASSES", "LOST"];

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

function summary(runs: readonly MoveRun[]): string[] {
  const [first] = runs;
  const of = (field: (run: MoveRun) => number) => quantileOf(runs.map(field), 0.5);
  return [
    first?.load ?? "",
    first?.mode ?? "",
    `${runs.filter((run) => run.outcome === "completed").length}/${runs.length}`,
    ms(of((run) => run.totalMs)),
    ms(of((run) => run.gapMs)),
    ms(Math.max(...runs.map((run) => run.gapMs))),
    megabytes(of((run) => run.bytes)),
    String(of((run) => run.iterations)),
    String(Math.max(...runs.map((run) => run.lost))),
  ];
}

export function registerBenchMigrate(bench: Command): void {
  bench
    .command("migrate")
    .description(
      "move a room back and forth and measure it from a client (see docs/vm.md and docs/containers.md)",
    )
    .addOption(
      new Option(
        "--carrier <kind>",
        "vm or container: those, and hand-off beside them; process: hand-off only",
      )
        .choices(["vm", "container", "process"])
        .default("vm"),
    )
    .addOption(
      new Option("--mode <mode>", "how").choices(["precopy", "postcopy", "hybrid"]).default("precopy"),
    )
    .addOption(
      new Option("--load <load>", "what the guest does meanwhile")
        .choices([...VM_LOADS, "all"])
        .default("idle"),
    )
    .option("--runs <number>", "migrations per load", Number, 10)
    .option("--memory <MiB>", "memory of the guest", Number, 256)
    .option("--image-dir <dir>", "folder of the guest image; built if missing", DEFAULT_IMAGE_DIR)
    .option("--json", "print one JSON line per migration")
    .option("--html <file>", "write an HTML page with the table and every migration")
    .action(async (flags: MigrateFlags) => {
      const json = flags.json === true;
      const all: MoveRun[][] = [];
      async function collect(name: string, runs: AsyncGenerator<MoveRun>): Promise<void> {
        const done: MoveRun[] = [];
        for await (const run of runs) {
          done.push(run);
          if (json) print(JSON.stringify(run));
          else
            print(color.dim(`${name} ${done.length}/${flags.runs}: ${ms(run.gapMs)} silent, ${run.reason}`));
        }
        all.push(done);
      }
      try {
        if (!Number.isInteger(flags.runs) || flags.runs < 1)
          throw new CentroidError("BAD_REQUEST", "--runs takes a whole number from 1");
        const { benchHandoff } = await import("../benches/handoff-bench.js");
        await collect("hand-off", benchHandoff(flags.runs));
        if (flags.carrier === "container") {
          const { benchContainers } = await import("../benches/container-bench.js");
          await collect("container", benchContainers(flags.runs, noticeOf));
        }
        for (const { load, runs } of flags.carrier === "vm" ? await machines(flags) : [])
          await collect(load, runs);
        const rows = all.map(summary);
        if (!json) print(table(HEAD, rows));
        if (flags.html !== undefined) await writeFile(flags.html, migrateReport(HEAD, rows, all));
      } catch (cause) {
        fail(cause, json);
      }
    });
}

const noticeOf = (line: string): void => void process.stderr.write(`${color.yellow(line)}\n`);

/** Each begins when it is read. */
async function machines(flags: MigrateFlags): Promise<{ load: string; runs: AsyncGenerator<MoveRun> }[]> {
  const [{ benchVmMigration }, { buildGuestImage }] = await Promise.all([
    import("@centroid/emulation"),
    import("@centroid/vm-carrier"),
  ]);
  const image = await buildGuestImage({ directory: resolve(flags.imageDir) });
  const loads = flags.load === "all" ? VM_LOADS : [flags.load];
  return loads.map((load) => ({
    load,
    runs: benchVmMigration({
      image,
      mode: flags.mode,
      load,
      runs: flags.runs,
      memoryMebibytes: flags.memory,
      onNotice: noticeOf,
    }),
  }));
}
