/** What the carrier relies on in criu, beyond its version. Written against 4.2.1. */
import { containerTrial, criuProblem } from "@centroid/container-carrier";
import { labProblem } from "@centroid/emulation";
import { expect, it } from "vitest";

const problem = (await labProblem("containers")) ?? (await criuProblem());
if (problem !== undefined) console.log(`skipped: dumping and restoring with criu (${problem})`);

it.skipIf(problem !== undefined)(
  "dumps a program with an open connection, without its network, and restores it into a namespace that is there",
  async () => {
    expect(await containerTrial()).toBeUndefined();
  },
);
