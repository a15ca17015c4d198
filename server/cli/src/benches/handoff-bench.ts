/** The process carrier's hand-off measured like the move of a whole machine, so that both stand in one table. */
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import type { VmBenchRun } from "@centroid/emulation";
import { CentroidClient, type MigrateEvent } from "@centroid/sdk";
import { startTestSystem } from "../deployment/test-system.js";

export type MoveRun = Omit<VmBenchRun, "mode"> & {
  readonly mode: VmBenchRun["mode"] | "handoff" | "stop-and-copy";
};

/** What the machines' client hears; the demo's room pushes less often, and a gap must not depend on that. */
const PUSH_INTERVAL_MS = 10;
const HOSTS = ["left", "right"] as const;

/** Moves one room of the demo to and fro between two processes of this machine under one player. */
export async function* benchHandoff(runs: number): AsyncGenerator<MoveRun> {
  await using system = await startTestSystem({ rooms: DEMO_ROOMS_DIR, hosts: HOSTS });
  const client = new CentroidClient(system.url, { probing: false });
  try {
    const room = await client.joinOrCreate("arena", { name: "bench" });
    room.onMessage("*", () => undefined);
    for (let run = 0; run < runs; run++) {
      const to = HOSTS.find((hostId) => hostId !== room.host.hostId) ?? HOSTS[0];
      const moved = new Promise<MigrateEvent>((resolve) => {
        const off = room.onMigrate((event) => {
          off();
          resolve(event);
        });
      });
      const receipt = await system.move(room.roomId, to);
      const seen = receipt.outcome === "completed" ? await moved : undefined;
      const gapMs = PUSH_INTERVAL_MS + (seen?.freezeMs ?? 0);
      yield {
        mode: "handoff",
        load: "idle",
        totalMs: receipt.totalMs,
        gapMs,
        gapP50: gapMs,
        gapP99: gapMs,
        bytes: receipt.bytes,
        iterations: 1,
        lost: seen?.lost ?? 0,
        reason: receipt.error?.message ?? "state only",
        outcome: receipt.outcome,
      };
    }
    await room.leave();
  } finally {
    client.dispose();
  }
}
