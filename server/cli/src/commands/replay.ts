/** `centroid replay`: makes the decisions of a recorded trace again and compares them. */
import { Replay, TraceError } from "@centroid/placement";
import { CentroidError } from "@centroid/protocol";
import type { Command } from "commander";
import { readTrace } from "../control/read-trace.js";
import { EXIT, fail, print, printJson } from "../terminal/output.js";

export function registerReplay(program: Command): void {
  program
    .command("replay")
    .description("repeat the decisions of a trace (centroid up --trace) and compare them")
    .argument("<file>", "trace to replay")
    .option("--json", "machine-readable output")
    .action(async (file: string, { json = false }: { json?: boolean }) => {
      try {
        const pass = new Replay();
        for await (const lines of readTrace(file)) for (const line of lines) pass.take(line);
        const { decisions, difference } = pass;
        if (json)
          printJson({ decisions, equal: difference === undefined, ...(difference && { difference }) });
        else if (difference === undefined) print(`${decisions} decisions, all equal`);
        else {
          const { line, roomId, path, recorded, replayed } = difference;
          print(
            `${file}:${line}: room ${roomId}: ${path} was ${JSON.stringify(recorded)}, replayed ${JSON.stringify(replayed)}`,
          );
        }
        if (difference !== undefined) process.exitCode = EXIT.failed;
      } catch (cause) {
        fail(
          cause instanceof TraceError ? new CentroidError("BAD_REQUEST", cause.message, { cause }) : cause,
          json,
        );
      }
    });
}
