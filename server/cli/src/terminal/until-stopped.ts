/** npm hands a Ctrl-C on to the program that the terminal has told already: so close, two are one. */
const SAME_KEYPRESS_MS = 1_000;

/**
 * Aborts at the first Ctrl-C or SIGTERM, or when nobody reads the output any more. A second Ctrl-C ends the
 * process at once. Output that goes to a full disk is lost, and nothing else.
 */
export function untilStopped(): AbortSignal {
  const controller = new AbortController();
  let abortedAtMs = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) abortedAtMs = performance.now();
      else if (performance.now() - abortedAtMs > SAME_KEYPRESS_MS) process.exit(130);
      controller.abort();
    });
  }
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE" && !process.stdout.isTTY) return;
    abortedAtMs = performance.now();
    controller.abort();
  });
  return controller.signal;
}
