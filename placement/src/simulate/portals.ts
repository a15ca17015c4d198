/**
 * Worlds of rooms with portals: players walk from room to room, and those near a portal see and hear who is on its other
 * side, over the way between the two hosts. What is counted is what all of them wait for.
 */

import type { RoomTie } from "../decide/ties.js";
import type { PlacementParameters } from "../decide/types.js";
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import { seededRandom } from "../random/random.js";
import { argmin } from "./baselines.js";
import { DEFAULT_SIMULATION, SimulationError, type SimulationParameters } from "./parameters.js";
import { ABSENT } from "./scenario.js";
import { SimulationStage } from "./stage.js";
import { sliceAt, trueScoreMs } from "./truth.js";

/**
 * `one-host`: a whole world on the host that is best for all of it at the start. `alone`: the engine, for each room by
 * itself. `together`: the engine, which knows who talks with whom.
 */
export const PORTAL_POLICIES = ["one-host", "alone", "together"] as const;
export type PortalPolicy = (typeof PORTAL_POLICIES)[number];

export interface PortalParameters
  extends Pick<SimulationParameters, "hosts" | "seed" | "steps" | "noise" | "probes" | "migrationCost"> {
  worlds: number;
  /** Of each world, in a ring of portals. */
  rooms: number;
  /** Of each world. */
  players: number;
  /** Share of a room's players that is near a portal at any time. */
  talk: number;
}

export const DEFAULT_PORTALS: PortalParameters = {
  hosts: DEFAULT_SIMULATION.hosts,
  seed: DEFAULT_SIMULATION.seed,
  noise: DEFAULT_SIMULATION.noise,
  probes: DEFAULT_SIMULATION.probes,
  migrationCost: DEFAULT_SIMULATION.migrationCost,
  steps: 200,
  worlds: 12,
  rooms: 5,
  players: 30,
  talk: 0.5,
};

export interface PortalResult {
  policy: PortalPolicy;
  /** Per player and step, ms: to the room, over portals, and for moves. */
  totalMs: number;
  playersMs: number;
  portalsMs: number;
  movesMs: number;
}

/** Chance per step that a player walks through a portal. */
const WALK_RATE = 0.01;
/** Of the players of a world, so many are from one region. */
const REGION_SHARE = 0.5;
const NEAR = 0.2;

/** Which room each player of a world is in: `rooms[step * players + player]`. */
interface World {
  nodes: readonly number[];
  rooms: Int32Array;
}

/** @throws SimulationError, MatrixError */
export function simulatePortals(
  slices: readonly RttMatrix[],
  options: Partial<PortalParameters> = {},
  engine: Partial<PlacementParameters> = {},
): PortalResult[] {
  const p: PortalParameters = { ...DEFAULT_PORTALS, ...options };
  checkPortals(p);
  const stage = new SimulationStage(slices, { ...DEFAULT_SIMULATION, ...p, rooms: p.worlds * p.rooms });
  const worlds = Array.from({ length: p.worlds }, (_, world) => drawWorld(stage, p, world));
  return PORTAL_POLICIES.map((policy) => {
    const sum = { players: 0, portals: 0, moves: 0 };
    worlds.forEach((world, index) => {
      const paths =
        policy === "one-host" ? onOneHost(stage, p, world) : played(stage, p, world, index, policy, engine);
      count(stage, p, world, paths, sum);
    });
    const per = p.worlds * p.players * p.steps;
    return {
      policy,
      totalMs: (sum.players + sum.portals + sum.moves) / per,
      playersMs: sum.players / per,
      portalsMs: sum.portals / per,
      movesMs: sum.moves / per,
    };
  });
}

function checkPortals({ worlds, rooms, players, talk }: PortalParameters): void {
  for (const [name, value, least] of [
    ["worlds", worlds, 1],
    ["rooms", rooms, 2],
    ["players", players, 1],
  ] as const)
    if (!Number.isInteger(value) || value < least)
      throw new SimulationError(`${name} is ${value}; it must be a whole number of at least ${least}`);
  if (!(talk >= 0 && talk <= 1)) throw new SimulationError(`talk is ${talk}; it must be between 0 and 1`);
}

function drawWorld(stage: SimulationStage, p: PortalParameters, index: number): World {
  const random = seededRandom(p.seed * 6_151 + index);
  const [first] = stage.slices;
  const pick = (from: readonly number[]): number => from[random.below(from.length)] ?? 0;
  const home = pick(stage.players);
  const rttMs = (node: number): number => first?.rttMs[home * first.size + node] ?? 0;
  const near = [...stage.players]
    .sort((a, b) => rttMs(a) - rttMs(b) || a - b)
    .slice(0, Math.max(1, Math.ceil(NEAR * stage.players.length)));
  const nodes = Array.from({ length: p.players }, () =>
    pick(random.next() < REGION_SHARE ? near : stage.players),
  );
  const rooms = new Int32Array(p.steps * p.players);
  for (let player = 0; player < p.players; player++) {
    let room = random.below(p.rooms);
    for (let step = 0; step < p.steps; step++) {
      if (random.next() < WALK_RATE) room = (room + (random.next() < 0.5 ? 1 : p.rooms - 1)) % p.rooms;
      rooms[step * p.players + player] = room;
    }
  }
  return { nodes, rooms };
}

/** Rooms on the other side of a room's portals. */
function beside(room: number, rooms: number): number[] {
  return [...new Set([(room + 1) % rooms, (room + rooms - 1) % rooms])].filter((other) => other !== room);
}

/** The nodes of a room's players at a step, ABSENT for those who are elsewhere. */
function nodesIn(world: World, p: PortalParameters, room: number, step: number): Int32Array {
  return Int32Array.from(world.nodes, (node, player) =>
    world.rooms[step * p.players + player] === room ? node : ABSENT,
  );
}

/** Players of both rooms that are at the portal between them. */
const atPortal = (talk: number, here: number, there: number): number =>
  here === 0 || there === 0 ? 0 : (talk * (here + there)) / 2;

function onOneHost(stage: SimulationStage, p: PortalParameters, world: World): Int32Array[] {
  const [first] = stage.slices;
  const best = argmin(stage.hosts.length, (h) =>
    first === undefined ? 0 : trueScoreMs(first, world.nodes, stage.hosts[h] ?? 0),
  );
  return Array.from({ length: p.rooms }, () => new Int32Array(p.steps).fill(best));
}

/** Where the engine has each room of a world at each step. */
function played(
  stage: SimulationStage,
  p: PortalParameters,
  world: World,
  index: number,
  policy: PortalPolicy,
  engine: Partial<PlacementParameters>,
): Int32Array[] {
  const hosts = stage.trained();
  const tiesOf = (room: number): RoomTie[] => {
    const here = all[room]?.view;
    return beside(room, p.rooms).flatMap((other): RoomTie[] => {
      const there = all[other]?.view;
      if (here === undefined || there === undefined) return [];
      const others = beside(other, p.rooms).flatMap((third) => {
        const view = third === room ? undefined : all[third]?.view;
        if (view?.hostId === undefined) return [];
        return [
          { hostId: view.hostId, players: atPortal(p.talk, there.playerIds.length, view.playerIds.length) },
        ];
      });
      return [
        { room: there, players: atPortal(p.talk, here.playerIds.length, there.playerIds.length), others },
      ];
    });
  };
  const all = Array.from({ length: p.rooms }, (_, room) => {
    const more = policy === "together" ? { ties: () => tiesOf(room) } : {};
    return stage.engine(index * p.rooms + room, hosts, engine, undefined, more);
  });
  const pings = all.map((_, room) => stage.pings(index * p.rooms + room));
  const paths = all.map(() => new Int32Array(p.steps));
  for (let step = 0; step < p.steps; step++)
    all.forEach((room, r) => {
      const ping = pings[r]?.(step);
      const path = paths[r];
      if (ping !== undefined && path !== undefined)
        path[step] = room.step(step, nodesIn(world, p, r, step), ping);
    });
  return paths;
}

function count(
  stage: SimulationStage,
  p: PortalParameters,
  world: World,
  paths: readonly Int32Array[],
  sum: { players: number; portals: number; moves: number },
): void {
  for (let step = 0; step < p.steps; step++) {
    const matrix = sliceAt(stage.slices, step, p.steps);
    const nodeOf = (room: number): number => stage.hosts[paths[room]?.[step] ?? 0] ?? 0;
    const present = paths.map((_, room) => nodesIn(world, p, room, step));
    const counts = present.map((nodes) => nodes.filter((node) => node !== ABSENT).length);
    paths.forEach((path, room) => {
      const here = counts[room] ?? 0;
      sum.players += here * trueScoreMs(matrix, present[room] ?? [], nodeOf(room));
      if (here > 0 && step > 0 && path[step] !== path[step - 1]) sum.moves += p.migrationCost;
      for (const other of beside(room, p.rooms)) {
        if (other < room) continue;
        const rttMs = matrix.rttMs[nodeOf(room) * matrix.size + nodeOf(other)] ?? 0;
        sum.portals +=
          atPortal(p.talk, here, counts[other] ?? 0) * (nodeOf(room) === nodeOf(other) ? 0 : rttMs);
      }
    });
  }
}
