/**
 * Where a new room starts, by what is known of the player who opens it: what it measured, what a neighbour in the
 * network measured, or nothing. By how much it is farther than the best host, from the raw matrix.
 */
import {
  HostTable,
  type HostView,
  LatencyMap,
  placeRoom,
  quantileOf,
  type RttMatrix,
  seededRandom,
} from "@centroid/placement";
import { type Row, rowOf } from "./row.js";

const HOSTS = 24;
const LANDMARKS = 6;
/** Hosts that each earlier player measured. */
const TRAINING_HOSTS = 9;
const TRAINING_PASSES = 100;
const PINGS = 3;
/** Two nodes so near to each other are taken for neighbours, ms. */
const NEIGHBOUR_MS = 10;

export function firstPlacement(group: string, matrix: RttMatrix, seed: number): Row[] {
  const random = seededRandom(seed);
  const nodes = random.shuffled(Array.from({ length: matrix.size }, (_, node) => node));
  const hosts = nodes.slice(0, HOSTS);
  const players = nodes.slice(HOSTS);
  const rttMs = (one: number, other: number): number => matrix.rttMs[one * matrix.size + other] ?? Number.NaN;
  const map = new LatencyMap();
  for (const host of hosts) map.upsertHost({ hostId: `h${host}`, latitude: 0, longitude: 0 });
  const measure = (playerId: string, node: number, hostIds: readonly string[]): void => {
    map.upsertPlayer({ playerId });
    for (const hostId of hostIds)
      for (let ping = 0; ping < PINGS; ping++)
        map.addProbe({ playerId, hostId, atMs: 0, rttMs: rttMs(node, Number(hostId.slice(1))) });
  };
  const hostIds = hosts.map((host) => `h${host}`);
  for (const [at, node] of players.entries())
    if (at % 2 === 0) measure(`before ${node}`, node, random.shuffled([...hostIds]).slice(0, TRAINING_HOSTS));
  map.refine(TRAINING_PASSES);
  const table = new HostTable(map, hosts.map(view));
  const excessMs = { measured: [] as number[], neighbour: [] as number[], nothing: [] as number[] };
  for (const [at, node] of players.entries()) {
    if (at % 2 === 0) continue;
    const bestMs = Math.min(...hosts.map((host) => rttMs(node, host)));
    const start = (playerId: string): number => {
      const { toHostId = "" } = placeRoom(
        { roomId: "r", playerIds: [playerId], carrier: "process" },
        table,
        map,
        0,
      );
      return rttMs(node, Number(toHostId.slice(1))) - bestMs;
    };
    const playerId = `player ${node}`;
    map.upsertPlayer({ playerId });
    excessMs.nothing.push(start(playerId));
    const [neighbour] = players
      .filter((other) => other !== node && rttMs(node, other) < NEIGHBOUR_MS)
      .sort((one, other) => rttMs(node, one) - rttMs(node, other));
    if (neighbour !== undefined) {
      measure(`beside ${node}`, neighbour, map.landmarks(LANDMARKS));
      excessMs.neighbour.push(start(`beside ${node}`));
      map.removePlayer(`beside ${node}`);
    }
    measure(playerId, node, map.landmarks(LANDMARKS));
    excessMs.measured.push(start(playerId));
    map.removePlayer(playerId);
  }
  return Object.entries(excessMs).flatMap(([known, values]) => [
    rowOf(group, `new room beyond the best host, known: ${known}, mean`, "ms", [mean(values)]),
    rowOf(group, `new room beyond the best host, known: ${known}, p95`, "ms", [quantileOf(values, 0.95)]),
  ]);
}

const view = (host: number): HostView => ({
  hostId: `h${host}`,
  state: "active",
  capacityRooms: Number.POSITIVE_INFINITY,
  rooms: 0,
  load: 0,
  carriers: ["process"],
  region: "",
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
