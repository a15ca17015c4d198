/** Ctrl-C as it comes in real life: twice at once under npm, and before everything has started. */
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cli, type RunningCli } from "../support/run-cli.js";

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.create();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** esbuild's own process sees the end of its pipe a moment after the program is gone. */
const nothingLeft = (up: RunningCli): Promise<void> =>
  expect.poll(() => up.left, { timeout: 2_000, interval: 20 }).toBe(false);

it("a Ctrl-C that arrives twice, as npm makes it, still ends in order", async () => {
  const up = cli.start(["up", "--port", "0", "--hosts", "2", "--json"]);
  await up.says(/"type":"snapshot"/);
  const pid = up.child.pid ?? 0;
  process.kill(-pid, "SIGINT");
  process.kill(pid, "SIGINT");
  expect(await up.exited).toBe(0);
  await nothingLeft(up);
  expect(up.err).toBe("");
});

it("a Ctrl-C during the start is no error", async () => {
  // The broker's port opens after the rooms are built and before agents are there.
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const { port } = free.address() as { port: number };
  await new Promise<unknown>((resolve) => free.close(resolve));
  const up = cli.start(["up", "--port", String(port), "--hosts", "6"]);
  await expect
    .poll(
      () =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          () => true,
          () => false,
        ),
      { timeout: 30_000, interval: 10 },
    )
    .toBe(true);
  await up.kill("SIGINT");
  expect(await up.exited).toBe(0);
  expect(up.err).toBe("");
  await nothingLeft(up);
});

it("output that nobody reads any more ends the program", async () => {
  const up = cli.start(["up", "--port", "0", "--hosts", "1", "--json"]);
  await up.says(/"type":"snapshot"/);
  up.child.stdout?.destroy();
  expect(await up.exited).toBe(0);
  await nothingLeft(up);
});
