/** Control groups of containers whose agent was killed. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rmdir, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { expect, it } from "vitest";
import {
  ControlGroups,
  clearLeftGroups,
  findControllers,
} from "../../infra/container-carrier/dist/container/cgroups.js";

const controllers = process.getuid?.() === 0 ? await findControllers() : [];
const LONG_AGO = new Date(Date.now() - 3_600_000);

async function groups(): Promise<string[]> {
  const made = await new ControlGroups(randomBytes(5).toString("hex"), controllers).make({
    memoryBytes: 2 ** 30,
    cpus: 1,
  });
  return [...made.early, ...made.late];
}

it.skipIf(controllers.length === 0)(
  "go a while after an agent starts; those in which something runs, or ran until then, or that are new, stay",
  async () => {
    const [left, inUse, ended, fresh] = [await groups(), await groups(), await groups(), await groups()];
    const brief = spawn("sleep", ["600"], { stdio: "ignore" });
    await once(brief, "spawn");
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    await once(child, "spawn");
    try {
      // A machine whose groups are not this program's to make has nothing to clear away.
      if (left.length === 0) return;
      for (const file of inUse) await writeFile(file, String(child.pid));
      for (const file of ended) await writeFile(file, String(brief.pid));
      for (const file of [...left, ...inUse, ...ended]) await utimes(dirname(file), LONG_AGO, LONG_AGO);
      await clearLeftGroups(controllers, async () => {
        // An agent that lives still has to read how its container ended.
        brief.kill("SIGKILL");
        await once(brief, "exit");
        expect(left.map((file) => existsSync(file))).toEqual(left.map(() => true));
      });
      expect([left, inUse, ended, fresh].map((files) => files.map((file) => existsSync(file)))).toEqual([
        left.map(() => false),
        inUse.map(() => true),
        ended.map(() => true),
        fresh.map(() => true),
      ]);
    } finally {
      child.kill("SIGKILL");
      brief.kill("SIGKILL");
      await once(child, "exit");
      for (const file of [...left, ...inUse, ...ended, ...fresh])
        await rmdir(dirname(file)).catch(() => undefined);
    }
  },
);
