/** Moves of rooms in containers, as users run them, measured like the moves of machines: one row of the same table. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlRoutes } from "@centroid/protocol";
import { CentroidClient } from "@centroid/sdk";
import { configSchema } from "../config/schema.js";
import { BrokerClient } from "../control/broker-client.js";
import { startDeployment } from "../deployment/deployment.js";
import type { MoveRun } from "./handoff-bench.js";

const HOSTS = 2;
/** How often the player says something that has to come back. */
const TALK_INTERVAL_MS = 20;
/** What was said last has been answered by then, or it is lost. */
const ANSWERED_MS = 30_000;

/** Moves one room of the demo to and fro between two lab hosts under one player. Needs root and criu. */
export async function* benchContainers(
  runs: number,
  notice: (line: string) => void,
): AsyncGenerator<MoveRun> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  try {
    const config = configSchema.parse({
      ...{ carrier: "container", hosts: HOSTS, port: 0, limits: false },
      stateDir: folder,
      adminToken: "token-of-the-container-bench",
    });
    await using deployment = await startDeployment(config, { notice });
    yield* movesOf(deployment, runs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* movesOf(
  { broker, adminToken, agents }: Awaited<ReturnType<typeof startDeployment>>,
  runs: number,
): AsyncGenerator<MoveRun> {
  const control = new BrokerClient({ broker: broker.url, token: adminToken });
  const client = new CentroidClient(broker.url, { probing: false });
  let sent = 0;
  let heard = 0;
  let talk: NodeJS.Timeout | undefined;
  try {
    const room = await client.joinOrCreate("arena", { name: "bench" });
    room.onMessage("*", () => undefined);
    room.onMessage("echo", () => void heard++);
    talk = setInterval(() => room.send("echo", { t: sent++ }), TALK_INTERVAL_MS);
    let at = room.host.hostId;
    for (let run = 0; run < runs; run++) {
      const hostId = agents.find((agent) => agent.hostId !== at)?.hostId ?? at;
      const params = { roomId: room.roomId };
      const receipt = await control.call(controlRoutes.move, { params, body: { hostId } });
      if (receipt.outcome === "completed") at = hostId;
      const until = sent;
      const deadline = performance.now() + ANSWERED_MS;
      while (heard < until && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, TALK_INTERVAL_MS));
      const gapMs = receipt.freezeMs?.max ?? 0;
      yield {
        mode: "stop-and-copy",
        load: "idle",
        totalMs: receipt.totalMs,
        gapMs,
        gapP50: gapMs,
        gapP99: gapMs,
        bytes: receipt.bytes,
        iterations: 1,
        lost: Math.max(0, until - heard),
        reason:
          receipt.error?.message ??
          receipt.phases.map(({ phase, durationMs }) => `${phase} ${Math.round(durationMs)} ms`).join(", "),
        outcome: receipt.outcome,
      };
    }
    await room.leave();
  } finally {
    clearInterval(talk);
    client.dispose();
  }
}
