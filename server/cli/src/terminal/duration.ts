/** Times as people write them on a command line. */
import { InvalidArgumentError } from "commander";

/** @returns milliseconds */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError("expected a time such as 500ms, 60s or 5m.");
  return Number(amount) * (unit === "ms" ? 1 : unit === "s" ? 1_000 : 60_000);
}
