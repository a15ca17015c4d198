/** Start, move, stop on every version of Node that people run, on whatever transport its binary allows here. */
import { CentroidClient } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeProgram } from "../support/node-versions.js";
import { Cli } from "../support/run-cli.js";

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.create();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** The one to use; the others take a minute more. */
const MAJORS = process.env.CENTROID_NODE_VERSIONS === "all" ? [22, 24, 26] : [24];

it.each(MAJORS)(
  "Node %i starts, moves a room with a player in it, and stops",
  async (major) => {
    const node = await nodeProgram(major);
    if ("reason" in node) {
      console.log(`skipped: ${node.reason}`);
      return;
    }
    const up = cli.start(["up", "--port", "0", "--hosts", "2", "--json"], {}, [], node.path);
    const [, url = ""] = await up.says(/"type":"started","url":"([^"]+)"/);
    const client = new CentroidClient(url, { probing: false });
    const room = await client.create("arena");
    const moved = new Promise<{ lost: number }>((resolve) => room.onMigrate(resolve));
    const env = { CENTROID_BROKER: url };
    const hosts = JSON.parse((await cli.run(["hosts", "--json"], env, [], node.path)).out) as {
      hostId: string;
    }[];
    const to = hosts.find(({ hostId }) => hostId !== room.host.hostId)?.hostId ?? "";
    expect(await cli.run(["move", room.roomId, to], env, [], node.path)).toMatchObject({ code: 0 });
    expect(await moved).toMatchObject({ lost: 0 });
    expect(room.host.hostId).toBe(to);
    await up.kill("SIGINT");
    expect(await up.exited).toBe(0);
    client.dispose();
    // At most one line, with the cause, however many processes there are; nothing that Node deprecates.
    expect(up.err).toMatch(/^(uWebSockets\.js does not run here: its? .+\n)?$/);
    expect(await cli.run(["--version"], {}, [], node.path)).toMatchObject({ code: 0, err: "" });
  },
  240_000,
);
