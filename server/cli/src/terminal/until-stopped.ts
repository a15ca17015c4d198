/** npm hands a Ctrl-C on to the program that the terminal has told already: so close, two are one. */
const SAME_KEYPRESS_MS = 1_000;

/**
 * Aborts at the first Ctrl-C or SIGTERM, or when nobody reads the output any more. A second Ctrl-C ends the
 * process at once.
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
  process.stdout.on("error", () => {
    abortedAtMs = performance.now();
    controller.abort();
  });
  return controller.signal;
}
