/** `centroid bench migrate`: what a player notices of a room's moves, over carriers, modes, loads and sizes. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { VM_LOADS, type VmLoad } from "@centroid/emulation/vm-loads";
import { quantileOf } from "@centroid/placement";
import {
  type CarrierKind,
  CentroidError,
  type OrderedMechanism,
  orderedMechanismSchema,
} from "@centroid/protocol";
import type { VmMode } from "@centroid/vm-carrier";
import { type Command, Option } from "commander";
import { migrateReport } from "../benches/migrate-report.js";
import type { MoveRun, RoomBenchOptions } from "../benches/room-bench.js";
import { color, fail, ms, print, table } from "../terminal/output.js";
import { DEFAULT_IMAGE_DIR } from "./image.js";

type Mode = OrderedMechanism | "auto" | "all";

interface MigrateFlags {
  carrier: CarrierKind | "all";
  mode: Mode;
  load: VmLoad | "all";
  runs: number;
  memory: number;
  resident: readonly number[];
  imageDir: string;
  json?: boolean;
  html?: string;
}

const HEAD = [
  "CARRIER",
  "LOAD",
  "RESIDENT",
  "MODE",
  "DONE",
  "GAP P50",
  "GAP P99",
  "GAP MAX",
  "TOTAL",
  "MOVED",
  "CPU",
  "PASSES",
  "LOST",
] as const;
/** Machines begin with pre-copy, and go on with post-copy where that takes too long. */
const VM_MODES = ["precopy", "postcopy", "hybrid"] as const satisfies readonly VmMode[];

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** One row of the table: every move of a carrier under a load. */
interface Series {
  readonly carrier: CarrierKind;
  /** Beside what a room needs, or all that a machine has. */
  readonly resident: string;
  readonly runs: MoveRun[];
}

function summary({ carrier, resident, runs }: Series): string[] {
  const of = (field: (run: MoveRun) => number, quantile = 0.5) => quantileOf(runs.map(field), quantile);
  const cpu = runs.flatMap(({ cpuMs }) => cpuMs ?? []);
  return [
    carrier,
    runs[0]?.load ?? "",
    resident,
    modesOf(runs),
    `${runs.filter((run) => run.outcome === "completed").length}/${runs.length}`,
    ms(of((run) => run.gapMs)),
    ms(of((run) => run.gapMs, 0.99)),
    ms(Math.max(...runs.map((run) => run.gapMs))),
    ms(of((run) => run.totalMs)),
    megabytes(of((run) => run.bytes)),
    cpu.length === 0 ? "-" : ms(quantileOf(cpu, 0.5)),
    String(of((run) => run.iterations)),
    String(Math.max(...runs.map((run) => run.lost))),
  ];
}

/** Those that were chosen by prediction may differ. */
const modesOf = (runs: readonly MoveRun[]): string => [...new Set(runs.map(({ mode }) => mode))].join(", ");

const labelOf = ({ carrier, resident, runs }: Series): string =>
  [carrier, modesOf(runs), runs[0]?.load, resident].filter(Boolean).join(" · ");

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
      new Option("--mode <mode>", "how containers and machines move; auto: as centroid would")
        .choices(["auto", ...orderedMechanismSchema.options, "all"])
        .default("auto"),
    )
    .addOption(
      new Option("--load <load>", "what the room or guest does meanwhile; storage and mixed are for machines")
        .choices([...VM_LOADS, "all"])
        .default("idle"),
    )
    .option("--runs <number>", "migrations per row of the table", Number, 10)
    .option("--memory <MiB>", "memory of the guest", Number, 256)
    .option(
      "--resident <MiB>",
      "memory that the room holds beside its own, in a process or container; several with commas",
      (text: string) => text.split(",").map(Number),
      [0],
    )
    .option("--image-dir <dir>", "folder of the guest image; built if missing", DEFAULT_IMAGE_DIR)
    .option("--json", "print one JSON line per migration")
    .option("--html <file>", "write an HTML page with the table, a plot and every migration")
    .action(async (flags: MigrateFlags) => {
      const json = flags.json === true;
      const all: Series[] = [];
      async function collect(
        carrier: CarrierKind,
        load: string,
        resident: string,
        runs: AsyncGenerator<MoveRun>,
      ): Promise<void> {
        const done: MoveRun[] = [];
        for await (const run of runs) {
          done.push(run);
          if (json) print(JSON.stringify({ carrier, resident, ...run }));
          else
            print(
              color.dim(
                `${carrier}, ${load} ${done.length}/${flags.runs}: ${run.mode}, ${ms(run.gapMs)} silent, ${run.reason}`,
              ),
            );
        }
        all.push({ carrier, resident, runs: done });
      }
      try {
        check(flags);
        const { benchRoom } = await import("../benches/room-bench.js");
        const wanted = carriersOf(flags.carrier);
        const loads = flags.load === "all" ? VM_LOADS : [flags.load];
        for (const load of loads) {
          if (isOfRooms(load))
            for (const residentMegabytes of flags.resident) {
              const options = { runs: flags.runs, notice: noticeOf, residentMegabytes, load };
              const resident = residentMegabytes === 0 ? "" : `+${residentMegabytes} MiB`;
              if (wanted.includes("process"))
                await collect("process", load, resident, benchRoom({ ...options, carrier: "process" }));
              if (wanted.includes("container"))
                for (const way of containerModes(flags.mode))
                  await collect(
                    "container",
                    load,
                    resident,
                    benchRoom({ ...options, ...way, carrier: "container" }),
                  );
            }
          if (wanted.includes("vm"))
            for (const mode of vmModes(flags.mode))
              await collect("vm", load, `${flags.memory} MiB`, await machine(flags, load, mode));
        }
        const rows = all.map(summary);
        if (!json) print(table([...HEAD], rows));
        const series = all.map((each) => ({ label: labelOf(each), runs: each.runs }));
        if (flags.html !== undefined) await writeFile(flags.html, migrateReport(HEAD, rows, series));
      } catch (cause) {
        fail(cause, json);
      }
    });
}

/** @throws CentroidError BAD_REQUEST */
function check({ runs, resident, load, mode, carrier }: MigrateFlags): void {
  if (!Number.isInteger(runs) || runs < 1)
    throw new CentroidError("BAD_REQUEST", "--runs takes a whole number from 1");
  if (!resident.every((each) => Number.isInteger(each) && each >= 0))
    throw new CentroidError("BAD_REQUEST", "--resident takes whole numbers from 0, with commas between");
  const wanted = carriersOf(carrier);
  if (!wanted.includes("vm") && load !== "all" && !isOfRooms(load))
    throw new CentroidError("BAD_REQUEST", `--load ${load} is for --carrier vm`);
  if (wanted.includes("vm") && vmModes(mode).length === 0)
    throw new CentroidError("BAD_REQUEST", `--mode ${mode} is for --carrier container`);
}

function carriersOf(carrier: MigrateFlags["carrier"]): readonly CarrierKind[] {
  return carrier === "all" ? ["process", "container", "vm"] : ["process", carrier];
}

const isOfRooms = (load: VmLoad): load is RoomBenchOptions["load"] => load !== "storage" && load !== "mixed";

function containerModes(mode: Mode): { mechanism?: OrderedMechanism }[] {
  if (mode === "auto") return [{}];
  const all = mode === "all" ? orderedMechanismSchema.options : [mode];
  return all.map((mechanism) => ({ mechanism }));
}

function vmModes(mode: Mode): readonly VmMode[] {
  if (mode === "all") return VM_MODES;
  const wanted = mode === "auto" ? "hybrid" : mode;
  return VM_MODES.filter((known) => known === wanted);
}

const noticeOf = (line: string): void => void process.stderr.write(`${color.yellow(line)}\n`);

/** Begins when it is read. */
async function machine(flags: MigrateFlags, load: VmLoad, mode: VmMode): Promise<AsyncGenerator<MoveRun>> {
  const [{ benchVmMigration }, { buildGuestImage }] = await Promise.all([
    import("@centroid/emulation"),
    import("@centroid/vm-carrier"),
  ]);
  const image = await buildGuestImage({ directory: resolve(flags.imageDir) });
  const { runs, memory: memoryMebibytes } = flags;
  return benchVmMigration({ image, mode, load, runs, memoryMebibytes, onNotice: noticeOf });
}
