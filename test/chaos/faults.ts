/**
 * What can be done to a deployment. Each fault lasts as long as it says and heals itself; any number of them may be
 * under way at once. It is written into the history which processes cannot be blamed for what happens meanwhile.
 */
import type { RecordedSystem } from "../history/recorded-system.js";
import type { Draw } from "../support/draw.js";
import { descendants } from "../support/processes.js";
import type { Direction } from "./one-way-link.js";
import { type ChaosBroker, type ChaosHost, type ChaosWorld, setClock, signalAll, sleep } from "./world.js";

/** Longer, and a host counts as lost. */
const HICCUP_MS = 1_000;
const HOUR_MS = 3_600_000;

/** The parts of the deployment that a fault is to meet, if it has to do with a move. */
export interface Aim {
  host?: ChaosHost | undefined;
}

export interface Fault {
  readonly name: string;
  readonly run: (draw: Draw, aim: Aim) => Promise<void>;
}

export function faultsOf(world: ChaosWorld, recorded: RecordedSystem): Fault[] {
  const broker = (draw: Draw): ChaosBroker => draw.of(world.brokers);
  const host = (draw: Draw, aim: Aim): ChaosHost => aim.host ?? draw.of(world.hosts);
  const between = (draw: Draw, least: number, most: number): number => least + draw.unit() * (most - least);
  const fault = (name: string, run: Fault["run"]): Fault => ({ name, run });

  const stopBroker = async (draw: Draw): Promise<void> => {
    const { child, port } = broker(draw);
    const forMs = between(draw, 200, 3_000);
    recorded.fault(`broker ${port} stopped`, [], forMs);
    await pause(descendants(child.pid ?? -1), forMs);
  };
  const stopHost = async (draw: Draw, aim: Aim, least: number, most: number): Promise<void> => {
    const stopped = host(draw, aim);
    const pids = world.pidsOf(stopped);
    const forMs = between(draw, least, most);
    recorded.fault(`${stopped.hostId} stopped`, pids, forMs);
    await pause(pids, forMs);
  };
  const cutHost = async (draw: Draw, aim: Aim, least: number, most: number): Promise<void> => {
    const cut = host(draw, aim);
    const directions = draw.of<Direction[]>([["there"], ["back"], ["there", "back"]]);
    const forMs = between(draw, least, most);
    recorded.fault(`${cut.hostId} cut off from brokers (${directions.join(", ")})`, world.pidsOf(cut), forMs);
    for (const link of cut.links) link.hold(...directions);
    await sleep(forMs);
    for (const link of cut.links) link.release();
  };

  const faults: Fault[] = [
    fault("broker killed", async (draw) => {
      const killed = broker(draw);
      const afterMs = between(draw, 0, 2_000);
      recorded.fault(`broker ${killed.port} killed`, [], afterMs);
      await world.restartBroker(killed, afterMs);
    }),
    fault("broker stopped", stopBroker),
    fault("host killed", (draw, aim) => {
      const killed = host(draw, aim);
      recorded.fault(`${killed.hostId} killed`, world.pidsOf(killed));
      return world.restartAgent(killed);
    }),
    fault("room host killed", async (draw, aim) => {
      const hit = host(draw, aim);
      const pids = world.roomHostsOf(hit);
      recorded.fault(`room host of ${hit.hostId} killed`, pids);
      signalAll(pids, "SIGKILL");
    }),
    fault("host stopped", (draw, aim) => stopHost(draw, aim, HICCUP_MS, 6_000)),
    fault("host hiccups", (draw, aim) => stopHost(draw, aim, 50, HICCUP_MS)),
    fault("host cut off", (draw, aim) => cutHost(draw, aim, HICCUP_MS, 5_000)),
    fault("link hiccups", (draw, aim) => cutHost(draw, aim, 50, HICCUP_MS)),
    fault("clock of a host set", (draw, aim) => badClock(draw, host(draw, aim).clock, recorded)),
    fault("clock of a broker set", (draw) => badClock(draw, broker(draw).clock, recorded)),
  ];

  const { redis } = world;
  if (redis !== undefined)
    faults.push(
      fault("Redis stopped", async (draw) => {
        const forMs = between(draw, 200, 2_000);
        recorded.fault("Redis stopped", [], forMs);
        redis.kill("SIGSTOP");
        await sleep(forMs);
        redis.kill("SIGCONT");
      }),
      fault("Redis restarted", async () => {
        recorded.fault("Redis restarted", []);
        await redis.restart();
      }),
      fault("broker cut off from Redis", async (draw) => {
        const { redisLink, port } = broker(draw);
        const directions = draw.of<Direction[]>([["there"], ["back"]]);
        const forMs = between(draw, 200, 3_000);
        recorded.fault(`broker ${port} cut off from Redis (${directions.join(", ")})`, [], forMs);
        redisLink?.hold(...directions);
        await sleep(forMs);
        redisLink?.release();
      }),
    );
  else
    faults.push(
      fault("store's process killed", async () => {
        recorded.fault("process of a broker's store killed", []);
        signalAll(world.storeProcesses(), "SIGKILL");
      }),
      fault("disk fails", async (draw) => {
        const hit = broker(draw);
        const forMs = between(draw, 200, 3_000);
        recorded.fault(`writes of broker ${hit.port} fail`, [], forMs);
        world.failWrites(hit, true);
        await sleep(forMs);
        world.failWrites(hit, false);
      }),
    );
  const { disk } = world;
  if (disk !== undefined)
    faults.push(
      fault("disk full", async (draw) => {
        const forMs = between(draw, 200, 3_000);
        recorded.fault("disk full", [], forMs);
        disk.fill();
        await sleep(forMs);
        disk.empty();
      }),
    );
  return faults;
}

async function badClock(draw: Draw, clock: string, recorded: RecordedSystem): Promise<void> {
  const stops = draw.unit() < 0.3;
  const offsetMs = draw.of([-HOUR_MS, -10_000, -500, HOUR_MS]);
  const forMs = 500 + draw.unit() * 4_000;
  recorded.fault(stops ? "a clock stops" : `a clock is set by ${offsetMs / 1000} s`, [], forMs);
  setClock(clock, stops ? { stoppedAtMs: Date.now() } : { offsetMs });
  await sleep(forMs);
  setClock(clock, {});
}

async function pause(pids: readonly number[], forMs: number): Promise<void> {
  signalAll(pids, "SIGSTOP");
  await sleep(forMs);
  signalAll(pids, "SIGCONT");
}
