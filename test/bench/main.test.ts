/** The benchmarks' own command line: what there is, and stdout that holds nothing else. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { GROUPS } from "./groups.js";

const exec = promisify(execFile);
const bench = (...args: string[]) =>
  exec("npm", ["run", "--silent", "bench", "--", ...args], { cwd: join(import.meta.dirname, "../..") });

it("lists its groups, all of which load", async () => {
  const { stdout, stderr } = await bench("--list");
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(Object.keys(GROUPS));
  expect(stderr).toBe("");
  for (const { load } of Object.values(GROUPS)) expect(await load()).toBeTypeOf("function");
});

it("names the groups to somebody who asks for another", async () => {
  await expect(bench("everything")).rejects.toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/no benchmark "everything"; there are handoff, broker/),
  });
});
