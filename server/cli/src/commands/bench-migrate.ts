/** `centroid bench migrate`: what a player notices when a room's whole machine moves, and when only its state does. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { VM_LOADS, type VmLoad } from "@centroid/emulation/vm-loads";
import { quantileOf } from "@centroid/placement";
import { type CarrierKind, CentroidError } from "@centroid/protocol";
import { type Command, Option } from "commander";
import { migrateReport } from "../benches/migrate-report.js";
import type { MoveRun, RoomBenchOptions } from "../benches/room-bench.js";
import { color, fail, ms, print, table } from "../terminal/output.js";
import { DEFAULT_IMAGE_DIR } from "./image.js";

interface MigrateFlags {
  carrier: CarrierKind | "all";
  mode: "precopy" | "postcopy" | "hybrid";
  load: VmLoad | "all";
  runs: number;
  memory: number;
  resident: number;
  imageDir: string;
  json?: boolean;
  html?: string;
}

const HEAD = ["CARRIER", "LOAD", "MODE", "DONE", "TOTAL", "GAP", "GAP MAX", "MOVED", "PASSES", "LOST"];

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** One row of the table: every move of a carrier under a load. */
interface Series {
  readonly carrier: CarrierKind;
  readonly runs: MoveRun[];
}

function summary({ carrier, runs }: Series): string[] {
  const [first] = runs;
  const of = (field: (run: MoveRun) => number) => quantileOf(runs.map(field), 0.5);
  return [
    carrier,
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
        "vm or container: those, and hand-off beside them; process: hand-off only; all",
      )
        .choices(["vm", "container", "process", "all"])
        .default("vm"),
    )
    .addOption(
      new Option("--mode <mode>", "how").choices(["precopy", "postcopy", "hybrid"]).default("precopy"),
    )
    .addOption(
      new Option("--load <load>", "what the room or guest does meanwhile; storage and mixed are for machines")
        .choices([...VM_LOADS, "all"])
        .default("idle"),
    )
    .option("--runs <number>", "migrations per load", Number, 10)
    .option("--memory <MiB>", "memory of the guest", Number, 256)
    .option(
      "--resident <MiB>",
      "memory that the room holds beside its own, in a process or container",
      Number,
      0,
    )
    .option("--image-dir <dir>", "folder of the guest image; built if missing", DEFAULT_IMAGE_DIR)
    .option("--json", "print one JSON line per migration")
    .option("--html <file>", "write an HTML page with the table and every migration")
    .action(async (flags: MigrateFlags) => {
      const json = flags.json === true;
      const all: Series[] = [];
      async function collect(
        carrier: CarrierKind,
        load: string,
        runs: AsyncGenerator<MoveRun>,
      ): Promise<void> {
        const done: MoveRun[] = [];
        for await (const run of runs) {
          done.push(run);
          if (json) print(JSON.stringify({ carrier, ...run }));
          else
            print(
              color.dim(
                `${carrier}, ${load} ${done.length}/${flags.runs}: ${ms(run.gapMs)} silent, ${run.reason}`,
              ),
            );
        }
        all.push({ carrier, runs: done });
      }
      try {
        if (!Number.isInteger(flags.runs) || flags.runs < 1)
          throw new CentroidError("BAD_REQUEST", "--runs takes a whole number from 1");
        const { benchRoom } = await import("../benches/room-bench.js");
        const wanted = carriersOf(flags.carrier);
        const loads = flags.load === "all" ? VM_LOADS : [flags.load];
        if (!wanted.includes("vm") && !loads.some(isOfRooms))
          throw new CentroidError("BAD_REQUEST", `--load ${flags.load} is for --carrier vm`);
        for (const load of loads) {
          for (const carrier of ["process", "container"] as const)
            if (wanted.includes(carrier) && isOfRooms(load))
              await collect(carrier, load, benchRoom({ ...roomOptions(flags), carrier, load }));
          if (wanted.includes("vm")) await collect("vm", load, await machine(flags, load));
        }
        const rows = all.map(summary);
        if (!json) print(table(HEAD, rows));
        if (flags.html !== undefined)
          await writeFile(
            flags.html,
            migrateReport(
              HEAD,
              rows,
              all.map(({ runs }) => runs),
            ),
          );
      } catch (cause) {
        fail(cause, json);
      }
    });
}

function carriersOf(carrier: MigrateFlags["carrier"]): readonly CarrierKind[] {
  return carrier === "all" ? ["process", "container", "vm"] : ["process", carrier];
}

const isOfRooms = (load: VmLoad): load is RoomBenchOptions["load"] => load !== "storage" && load !== "mixed";

const roomOptions = ({ resident, runs }: MigrateFlags) => ({
  residentMegabytes: resident,
  runs,
  notice: noticeOf,
});

const noticeOf = (line: string): void => void process.stderr.write(`${color.yellow(line)}\n`);

/** Begins when it is read. */
async function machine(flags: MigrateFlags, load: VmLoad): Promise<AsyncGenerator<MoveRun>> {
  const [{ benchVmMigration }, { buildGuestImage }] = await Promise.all([
    import("@centroid/emulation"),
    import("@centroid/vm-carrier"),
  ]);
  const image = await buildGuestImage({ directory: resolve(flags.imageDir) });
  const { mode, runs, memory: memoryMebibytes } = flags;
  return benchVmMigration({ image, mode, load, runs, memoryMebibytes, onNotice: noticeOf });
}
