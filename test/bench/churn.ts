/** Players who come and go: what of 100,000 of them is left in a broker's heap. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { startBroker } from "@centroid/broker";
import { CENTROID_OPTIONS_KEY, PROTOCOL_VERSION } from "@centroid/protocol";
import { call, load } from "./load.js";
import type { Row } from "./row.js";

/** After so many players the heap is looked at; the first fill what is remembered up to a bound, and warm up the code. */
const STAGES = [10_000, 50_000, 100_000];
const STANDING_ROOMS = 50;
/** Of the players: those who make a room of their own, which ends with them. */
const MAKE_EVERY = 5;
/** Places that players come from; of each place the broker remembers who was measured there last. */
const NETWORKS = 500;
const KIB = 1024;
const SETTLE_MS = 2_000;
const POLL_MS = 50;
/** Any record of a player, its id alone, is more; the heap itself varies by a few MB from look to look. */
const MOST_BYTES_PER_PLAYER = 64;

export async function churn(): Promise<Row[]> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const storeDir = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  const token = "bench-agent-token-0123";
  const broker = await startBroker({ port: 0, storeDir, agentToken: token, autoMove: false, limits: false });
  const host = fork(join(import.meta.dirname, "memory-agent.ts"), [broker.url, token], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 48 });
  const there = (): { rooms: number; players: number } => {
    const { rooms, players } = broker.events.snapshot();
    return { rooms: rooms.length, players: players.length };
  };
  const used = async (): Promise<number> => {
    while (there().players > STANDING_ROOMS || there().rooms > STANDING_ROOMS)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  try {
    await once(host, "message");
    const roomIds: string[] = [];
    await load(STANDING_ROOMS, async () => {
      roomIds.push((await call(agent, `${broker.url}/matchmake/create/plain`)).roomId);
      return 0;
    });
    // From now on who comes goes again.
    host.send("leave");
    let come = 0;
    const heaps: number[] = [];
    for (const stage of STAGES) {
      await load(stage - come, async (at) => {
        const method = at % MAKE_EVERY === 0 ? "create/plain" : `joinById/${roomIds[at % roomIds.length]}`;
        await call(agent, `${broker.url}/matchmake/${method}`, hintsOf(at));
        return 0;
      });
      come = stage;
      heaps.push(await used());
    }
    const [first = 0, ...later] = heaps;
    const group = "broker, players who came and left, heap";
    const last = later.at(-1) ?? first;
    return [
      ...STAGES.map((stage, at) => ({
        group,
        figure: `after ${stage.toLocaleString("en")}`,
        value: (heaps[at] ?? Number.NaN) / KIB / KIB,
        unit: "MB",
      })),
      {
        group,
        figure: `left of each after the first ${(STAGES[0] ?? 0).toLocaleString("en")}`,
        value: (last - first) / (come - (STAGES[0] ?? 0)),
        unit: "B",
        aim: { max: MOST_BYTES_PER_PLAYER },
      },
    ];
  } finally {
    host.kill("SIGKILL");
    agent.destroy();
    await broker[Symbol.asyncDispose]();
    await rm(storeDir, { recursive: true, force: true });
  }
}

/** Somebody from one of some places, who has measured the host. */
const hintsOf = (at: number): object => ({
  [CENTROID_OPTIONS_KEY]: {
    protocol: PROTOCOL_VERSION,
    network: `network-${at % NETWORKS}`,
    probes: [{ hostId: "host", rttsMs: [10, 11, 12] }],
  },
});
