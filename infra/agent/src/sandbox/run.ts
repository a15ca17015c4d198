/** Running a program to its end, with an error that shows what it said. */
import { execFile } from "node:child_process";

export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "COMMAND_FAILED";
}

/** Standard output. @throws {CommandError} with the command line and standard error. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; signal?: AbortSignal } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20, ...options }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const missing = error.code === "ENOENT";
      const said = missing
        ? "not installed"
        : stderr.trim().split("\n").slice(-3).join("; ") || error.message;
      reject(new CommandError(`${command} ${args.join(" ")}: ${said}`, { cause: error }));
    });
  });
}
