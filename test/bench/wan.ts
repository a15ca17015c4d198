/** Moves over long distances, as players hear them: on Centroid's SDK at the hosts' own addresses, and stock by a gateway. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Broker } from "@centroid/broker";
import { Lab, parseTopology } from "@centroid/emulation";
import { startGateway } from "@centroid/gateway";
import { quantileOf } from "@centroid/placement";
import type { Receipt } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import type { CentroidClient, CentroidRoom } from "@centroid/sdk";
import { Client, type Room } from "@colyseus/sdk";
import { until } from "../broker/support/world.js";
import { LiveSystem } from "../support/live-system.js";
import type { BenchOptions } from "./groups.js";
import type { Row } from "./row.js";

const CITIES = ["frankfurt", "virginia"] as const;
/** Of each way. */
const FEW = 5;
/** Of both. */
const MANY = 50;
const MOVES = 12;
/** The room sends a number so often. */
const TICK_MS = 50;
/** After a move, so that the first words from the new host are in. */
const SETTLE_MS = 400;
/** Before the first move. */
const STILL_MS = 1_000;
/** Numbers in the state. */
const WEIGHTS = { "10 KB": 1_100, "1 MB": 110_000 } as const;

export interface Settings {
  rttMs: number;
  state: keyof typeof WEIGHTS;
  /** Of each way. */
  players?: number;
  /** The room has its standby where it moves to. */
  promoted?: boolean;
  /** Share of packets lost between the hosts, and between the farther one and players. */
  loss?: number;
}

/** A system with hosts in both cities, and players in the first. */
export interface Ground {
  broker: Pick<Broker, "url" | "gatewayToken">;
  player: (label: string) => Promise<CentroidClient>;
  get: <T>(path: string) => Promise<T>;
  move: (roomId: string, hostId: string) => Promise<Receipt>;
}
/** A new standby is made after each move. */
const STANDBY_MS = 60_000;

/** `--players 10,50`: only the move over 90 ms, with so many, half of them by each way. */
export async function wan({ players }: BenchOptions): Promise<Row[]> {
  const crowds = (players ?? [MANY]).map(
    (count): Settings => ({ rttMs: 90, state: "10 KB", players: Math.ceil(count / 2) }),
  );
  const fewPlayers: Settings[] = [
    ...[20, 90, 230].map((rttMs): Settings => ({ rttMs, state: "10 KB" })),
    { rttMs: 90, state: "1 MB" },
  ];
  const rows: Row[] = [];
  for (const settings of players === undefined ? [...fewPlayers, ...crowds] : crowds)
    rows.push(...(await measure(settings)));
  return rows;
}

const LOSS = 0.01;
const SITE = "players";
const LAST_MILE_MS = 4;

/** Real packets between namespaces, a hundredth of which is lost; and the same without, since the emulator is another one. */
export async function wanLoss(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const rttMs of [20, 90, 230])
    for (const loss of rttMs === 90 ? [0, LOSS] : [LOSS])
      rows.push(...(await inLab({ rttMs, state: "10 KB", loss })));
  return rows;
}

async function inLab(settings: Settings): Promise<Row[]> {
  const { rttMs, loss } = settings;
  const [here, there] = CITIES;
  const far = { rttMs, loss };
  const name = "bench-loss";
  await Lab.down(name);
  const topology = parseTopology({
    hosts: CITIES.map((city) => ({ name: city })),
    sites: [{ name: SITE }],
    links: [
      { a: here, b: there, ...far },
      { a: SITE, b: there, ...far },
      { a: SITE, b: here, rttMs: LAST_MILE_MS },
    ],
  });
  const lab = await Lab.up(topology, { name, kind: "containers" });
  try {
    const places = { site: lab.sites[0]?.address, hosts: lab.hosts };
    const child = fork(
      fileURLToPath(new URL("./wan-in-lab.ts", import.meta.url)),
      [JSON.stringify({ settings, ...places })],
      {
        execPath: "ip",
        execArgv: ["netns", "exec", lab.sites[0]?.namespace ?? "", process.execPath, "--import", "tsx"],
      },
    );
    const ended = once(child, "exit").then(() => {
      throw new Error("the players' process has ended");
    });
    const [measured] = (await Promise.race([once(child, "message"), ended])) as [Row[]];
    return measured;
  } finally {
    await Lab.down(name);
  }
}

/** The same move with and without a standby at the destination. */
export async function promotion(): Promise<Row[]> {
  const settings = { rttMs: 90, state: "1 MB" } as const;
  return [...(await measure(settings)), ...(await measure({ ...settings, promoted: true }))];
}

/** One player's longest wait for the room's next word, and what did not follow the word before. */
class Listener {
  longestMs = 0;
  wrong = 0;
  #lastMs: number | undefined;
  #last: number | undefined;

  constructor(room: Pick<Room, "onMessage">) {
    room.onMessage("shot", (shot: number) => {
      const nowMs = performance.now();
      if (this.#lastMs !== undefined) this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs);
      if (this.#last !== undefined && shot !== this.#last + 1) this.wrong++;
      this.#lastMs = nowMs;
      this.#last = shot;
    });
  }

  /** The silence beyond a tick since it was asked last. */
  silence(): number {
    const silenceMs = Math.max(0, this.longestMs - TICK_MS);
    this.longestMs = 0;
    return silenceMs;
  }
}

async function measure(settings: Settings): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { rttMs } = settings;
  const [here, there] = CITIES;
  const between = { [here]: rttMs, [there]: rttMs, tokyo: rttMs };
  const rtt = Object.fromEntries([...CITIES, "tokyo"].map((city) => [city, { ...between, [city]: 4 }]));
  const hosts = CITIES.map((hostId) => ({ hostId, latitude: 0, longitude: 0 }));
  const live = owned.use(await LiveSystem.start({ autoMove: false }, hosts, rtt));
  return await measureOn(
    {
      broker: live.broker,
      player: (label) => live.player(label, here),
      get: (path) => live.get(path),
      move: async (roomId, hostId) => (await live.post(`/rooms/${roomId}/move`, { hostId })).body,
    },
    settings,
  );
}

export async function measureOn(
  live: Ground,
  { rttMs, state, players = FEW, promoted = false, loss }: Settings,
): Promise<Row[]> {
  await using owned = new DisposalStack();
  const [here, there] = CITIES;
  const gateway = owned.use(
    await startGateway({
      ...{ gatewayId: "bench", bindHost: "127.0.0.1", port: 0, notice: () => undefined },
      ...{ brokerUrls: [live.broker.url], token: live.broker.gatewayToken },
    }),
  );
  await gateway.ready;
  const first = (await (
    await live.player("player0")
  ).create(promoted ? "vault" : "ledger", {
    weights: WEIGHTS[state],
  })) as CentroidRoom;
  const direct: CentroidRoom[] = [first];
  for (let at = 1; at < players; at++)
    direct.push((await (await live.player(`player${at}`)).joinById(first.roomId)) as CentroidRoom);
  const stock: Room[] = [];
  for (let at = 0; at < players; at++)
    stock.push((await new Client(gateway.url).joinById(first.roomId)) as Room);
  let reconnections = 0;
  for (const room of stock) room.onReconnect(() => void reconnections++);
  const ways = {
    direct: direct.map((room) => new Listener(room)),
    "by gateway, stock client": stock.map((room) => new Listener(room)),
  };
  const silences: Record<keyof typeof ways, number[]> = { direct: [], "by gateway, stock client": [] };
  const totals: number[] = [];
  const handOffs: number[] = [];
  let calledOff = 0;
  const still: number[] = [];
  let bytes = 0;
  for (let move = 0; move < MOVES; move++) {
    const hostId = first.host.hostId === here ? there : here;
    const listeners = [...ways.direct, ...ways["by gateway, stock client"]];
    for (const listener of listeners) listener.silence();
    // What this machine itself does to the room's rhythm.
    await new Promise((resolve) => setTimeout(resolve, totals.at(-1) ?? STILL_MS));
    for (const listener of listeners) still.push(listener.silence());
    if (promoted)
      await until(async () => {
        const { standbyHostId } = await live.get<{ standbyHostId?: string }>(`/api/v1/rooms/${first.roomId}`);
        return standbyHostId === hostId;
      }, STANDBY_MS);
    const receipt = await live.move(first.roomId, hostId);
    // On a machine that is busy with other things a host may be out of touch for a moment; then the room stays.
    if (receipt.outcome !== "completed") {
      calledOff++;
      continue;
    }
    if (promoted && receipt.promoted !== true) throw new Error(`not promoted: ${JSON.stringify(receipt)}`);
    totals.push(receipt.totalMs);
    handOffs.push(receipt.phases.reduce((sum, { durationMs }) => sum + durationMs, 0));
    bytes += receipt.bytes;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS + 2 * rttMs));
    for (const way of Object.keys(ways) as (keyof typeof ways)[])
      for (const listener of ways[way]) silences[way].push(listener.silence());
  }
  const wrong = Object.values(ways).flatMap((listeners) => listeners.map((listener) => listener.wrong));
  await Promise.all([...direct, ...stock].map((room) => room.leave()));
  const lossy = loss === undefined ? "" : `, ${100 * loss} % lost in namespaces`;
  const how = (promoted ? "to its standby" : "process") + lossy;
  const group = `wan, ${rttMs} ms between hosts, ${state} of state, ${2 * players} players, ${how}`;
  const oneWay = { max: rttMs / 2 + TICK_MS };
  return [
    ...(Object.keys(ways) as (keyof typeof ways)[]).flatMap((way): Row[] => [
      {
        group,
        figure: `silence beyond a tick, ${way}, p50`,
        value: quantileOf(silences[way], 0.5),
        unit: "ms",
      },
      {
        ...{ group, figure: `silence beyond a tick, ${way}, p99`, value: quantileOf(silences[way], 0.99) },
        ...{ unit: "ms", aim: oneWay },
      },
    ]),
    { group, figure: "silence beyond a tick without a move, p50", value: quantileOf(still, 0.5), unit: "ms" },
    {
      group,
      figure: "silence beyond a tick without a move, p99",
      value: quantileOf(still, 0.99),
      unit: "ms",
    },
    { group, figure: "whole move p50", value: quantileOf(totals, 0.5), unit: "ms" },
    { group, figure: "of that between the hosts, p50", value: quantileOf(handOffs, 0.5), unit: "ms" },
    { group, figure: "bytes per move", value: bytes / totals.length / 1024, unit: "KiB" },
    { group, figure: `of ${MOVES} moves called off`, value: calledOff, unit: "" },
    {
      ...{ group, figure: "lost, doubled or out of order, and reconnections", unit: "", aim: { max: 0 } },
      value: wrong.reduce((sum, count) => sum + count, 0) + reconnections,
    },
  ];
}
