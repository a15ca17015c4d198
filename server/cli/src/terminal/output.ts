/** How the CLI writes: tables and colours for people, JSON for programs, one line for an error. */
import { CentroidError, type ErrorCode, printable } from "@centroid/protocol";
import Table from "cli-table3";
import pc from "picocolors";

/** Exit codes, documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  unauthorized: 4,
  notFound: 5,
  conflict: 6,
} as const;

const EXIT_BY_CODE: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: EXIT.usage,
  BAD_REQUEST: EXIT.usage,
  NO_HOST: EXIT.unreachable,
  HOST_LOST: EXIT.unreachable,
  STORE_UNAVAILABLE: EXIT.unreachable,
  UNAUTHORIZED: EXIT.unauthorized,
  FORBIDDEN: EXIT.unauthorized,
  NOT_FOUND: EXIT.notFound,
  ROOM_NOT_FOUND: EXIT.notFound,
  HOST_NOT_FOUND: EXIT.notFound,
  ROOM_AMBIGUOUS: EXIT.notFound,
  PORT_IN_USE: EXIT.conflict,
  ROOM_MOVING: EXIT.conflict,
  HOST_NOT_ACTIVE: EXIT.conflict,
  HOST_FULL: EXIT.conflict,
};

export const color = pc;

/** A plain table: a head, rows, no lines between. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: head.map((cell) => pc.dim(cell)),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 2 },
    chars: Object.fromEntries(
      [
        "top",
        "top-mid",
        "top-left",
        "top-right",
        "bottom",
        "bottom-mid",
        "bottom-left",
        "bottom-right",
        "left",
        "left-mid",
        "mid",
        "mid-mid",
        "right",
        "right-mid",
        "middle",
      ].map((key) => [key, ""]),
    ),
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}

/** Whatever is left of others' strings by now: of all a terminal obeys, only our colours and ends of lines get through. */
const tame = (text: string): string =>
  text.replaceAll(/\p{Cc}(\[[\d;]*m)?/gu, (found, colour: string | undefined) => {
    const [control = ""] = found;
    const kept = control === "\n" || control === "\t" || (control === "\u001b" && colour !== undefined);
    return kept ? found : `${printable(control)}${colour ?? ""}`;
  });

/** One text to stdout. What comes from others goes through {@link printable} before it is given colours. */
export const print = (text: string): void => void process.stdout.write(`${tame(text)}\n`);
/** One text to stderr. */
export const notice = (text: string): void => void process.stderr.write(`${tame(text)}\n`);
/** JSON keeps every string as it is: what a terminal would obey is escaped in it, which reads as the same string. */
export const json = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).split("\n").map(printable).join("\n");
export const printJson = (value: unknown): void => print(json(value, 2));

export const ms = (value: number | undefined, digits = 0): string =>
  value === undefined || !Number.isFinite(value) ? "–" : `${value.toFixed(digits)} ms`;

/** Writes one line and sets the exit code. The stack is for those who ask: CENTROID_DEBUG=1. */
export function fail(cause: unknown, json: boolean): void {
  const error = CentroidError.from(cause);
  process.exitCode = EXIT_BY_CODE[error.code] ?? EXIT.failed;
  if (json) printJson({ error: error.toWire() });
  else
    notice(
      `${pc.red("error")} ${printable(error.message.replaceAll("\n", " "))} ${pc.dim(`(${error.code})`)}`,
    );
  if (process.env.CENTROID_DEBUG === "1" && error.stack !== undefined)
    notice(error.stack.split("\n").map(printable).join("\n"));
}
