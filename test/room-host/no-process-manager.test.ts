/** Where Colyseus' template has installed pm2's library, it neither listens nor speaks in a room host. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const MODULE = new URL("../../infra/room-host/dist/no-process-manager.js", import.meta.url).href;
/** What `@colyseus/core` does when it starts, and what a project of its own may do. */
const program = (before: string): string => `
  ${before}
  const { default: io } = await import("@pm2/io");
  io.metric({ id: "app/stats/ccu", name: "ccu", value: () => 0 });
  io.counter({ name: "joins" }).inc();
  console.log(process.listenerCount("uncaughtException"), process.listenerCount("message"));
  process.exit(0);
`;

async function listeners(before: string): Promise<string> {
  const args = ["--input-type=module", "-e", program(before)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return stdout.trim();
}

it("leaves the end of the process to its agent", async () => {
  expect(await listeners(`(await import("${MODULE}")).withoutProcessManager();`)).toBe("0 0");
  // The library as it is takes hold of the process.
  expect(await listeners("")).not.toBe("0 0");
});
