/**
 * Moves of a room as users run it, by hand-off or with its container, measured like the moves of machines, so that all
 * stand in one table.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LOAD_ROOMS_DIR } from "@centroid/demo";
import type { VmBenchRun } from "@centroid/emulation";
import { startCpuTime } from "@centroid/emulation/cpu-time";
import type { VmLoad } from "@centroid/emulation/vm-loads";
import { quantileOf } from "@centroid/placement";
import { controlRoutes, type Mechanism, type OrderedMechanism } from "@centroid/protocol";
import { CentroidClient } from "@centroid/sdk";
import { configSchema } from "../config/schema.js";
import { BrokerClient } from "../control/broker-client.js";
import { startDeployment } from "../deployment/deployment.js";

export type MoveRun = Omit<VmBenchRun, "mode"> & { readonly mode: VmBenchRun["mode"] | Mechanism };

export interface RoomBenchOptions {
  readonly carrier: "process" | "container";
  readonly load: Exclude<VmLoad, "storage" | "mixed">;
  /** How a container moves; by prediction if nothing is said. */
  readonly mechanism?: OrderedMechanism;
  /** Memory that the room holds beside what it needs. */
  readonly residentMegabytes: number;
  readonly runs: number;
  readonly notice: (line: string) => void;
}

const HOSTS = 2;
/** The room has begun, and its load is under way. */
const SETTLE_MS = 1_000;
/** A player notices the end of a silence only by the next frame. */
const TAIL_MS = 300;

/** Moves one room to and fro between two hosts of this machine under one player. */
export async function* benchRoom(options: RoomBenchOptions): AsyncGenerator<MoveRun> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  try {
    const config = configSchema.parse({
      ...{ carrier: options.carrier, hosts: HOSTS, port: 0, limits: false, rooms: LOAD_ROOMS_DIR },
      stateDir: folder,
      adminToken: "token-of-the-move-bench",
    });
    await using deployment = await startDeployment(config, { notice: options.notice });
    yield* movesOf(deployment, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* movesOf(
  { broker, adminToken, agents }: Awaited<ReturnType<typeof startDeployment>>,
  { load, residentMegabytes, runs, mechanism }: RoomBenchOptions,
): AsyncGenerator<MoveRun> {
  const control = new BrokerClient({ broker: broker.url, token: adminToken });
  const client = new CentroidClient(broker.url, { probing: false });
  try {
    const room = await client.create("load", { load, residentMegabytes });
    const frames = new Frames();
    room.onMessage("frame", ({ n }: { n: number }) => frames.heard(n, performance.now()));
    await delay(SETTLE_MS);
    let at = room.host.hostId;
    for (let run = 0; run < runs; run++) {
      const hostId = agents.find((agent) => agent.hostId !== at)?.hostId ?? at;
      frames.mark();
      const cpu = startCpuTime();
      const params = { roomId: room.roomId };
      const receipt = await control.call(controlRoutes.move, {
        params,
        body: { hostId, ...(mechanism !== undefined && { mechanism }) },
      });
      if (receipt.outcome === "completed") at = hostId;
      const cpuMs = cpu();
      await delay(TAIL_MS);
      yield {
        mode: receipt.mechanism,
        load,
        totalMs: receipt.totalMs,
        ...frames.seen(performance.now()),
        bytes: receipt.bytes,
        cpuMs,
        iterations: 1,
        reason:
          receipt.error?.message ??
          receipt.phases.map(({ phase, durationMs }) => `${phase} ${Math.round(durationMs)} ms`).join(", "),
        outcome: receipt.outcome,
      };
    }
    await room.leave();
  } finally {
    client.dispose();
  }
}

/** What a player has heard of the frames, which are numbered. */
class Frames {
  #gaps: number[] = [];
  #lastAtMs: number | undefined;
  #next: number | undefined;
  #lost = 0;

  heard(n: number, nowMs: number): void {
    if (this.#lastAtMs !== undefined) this.#gaps.push(nowMs - this.#lastAtMs);
    this.#lastAtMs = nowMs;
    if (this.#next !== undefined) this.#lost += Math.abs(n - this.#next);
    this.#next = n + 1;
  }

  mark(): void {
    this.#gaps = [];
    this.#lost = 0;
  }

  seen(nowMs: number): Pick<MoveRun, "gapMs" | "gapP50" | "gapP99" | "lost"> {
    // A silence that still lasts counts.
    const gaps = [...this.#gaps, nowMs - (this.#lastAtMs ?? nowMs)];
    const gapMs = Math.max(...gaps);
    return { gapMs, gapP50: quantileOf(gaps, 0.5), gapP99: quantileOf(gaps, 0.99), lost: this.#lost };
  }
}
