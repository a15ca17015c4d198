/**
 * Many rooms on hosts of limited capacity: placing, draining, evacuating and improving are one min-cost flow.
 *
 * Starts from what runs now and cancels negative cycles (Klein 1967), so every answer is a list of moves, the
 * best chains need no restart, and without move budgets the end is the exact optimum.
 */
import { findChain, type Step } from "./residual.js";

export interface FleetHost {
  hostId: string;
  capacityRooms: number;
  /** So many moves may start here, and as many may end here; unlimited if not given. */
  moves?: number;
}

export interface FleetRoom {
  roomId: string;
  /** Undefined for a room that runs nowhere. */
  hostId: string | undefined;
  /** What a host costs the room's players, by host id; a host left out may not take it (drained, region, ...). */
  costs: ReadonlyMap<string, number>;
  /** Price of moving it, same unit. */
  moveCost: number;
}

export interface FleetMove {
  roomId: string;
  fromHostId: string | undefined;
  toHostId: string;
  /** Opens a ring of full hosts: its destination needs one slot beyond its capacity for a moment. */
  ring: boolean;
}

export interface FleetPlan {
  /** In an order in which each destination has room when its turn comes, rings excepted; a ring's first has no slot yet. */
  moves: FleetMove[];
  /** Host by room, after all moves; rooms that no host can take are missing. */
  hostOf: Map<string, string>;
  unplaced: string[];
  /** Rooms that run where they must not and that no other host can take now. */
  stranded: string[];
  /** Summed costs of the others and their moves. */
  cost: number;
}

export interface FleetLimits {
  /** Moves in all; a chain that does not fit whole ends the plan. */
  moves?: number;
  /** Moves from one host to another: they share a link. */
  movesPerLink?: number | ((fromHostId: string, toHostId: string) => number);
}

/** Dearer than any real cost: a room that runs nowhere, or where it must not stay. */
const NOWHERE_COST = 1e7;
/** Chains are bounded by the rooms that can still gain; this only guards against rounding. */
const CHAINS_PER_ROOM = 50;

/** @throws RangeError on a cost that is no finite number */
export function assignFleet(
  rooms: readonly FleetRoom[],
  hosts: readonly FleetHost[],
  limits: FleetLimits = {},
): FleetPlan {
  const fleet = new Fleet(rooms, hosts, limits);
  for (let chain = 0; chain < rooms.length * CHAINS_PER_ROOM + 1; chain++) {
    const found = findChain(fleet);
    if (found === undefined || !fleet.apply(found.steps)) break;
  }
  return fleet.plan();
}

class Fleet {
  /** Real hosts and, last, nowhere: it has a slot for everyone. */
  readonly hosts: number;
  readonly #rooms: readonly FleetRoom[];
  readonly #hosts: readonly FleetHost[];
  readonly #limits: FleetLimits;
  readonly #costs: Float64Array;
  readonly #at: Int32Array;
  readonly #on: Set<number>[];
  readonly #out: Int32Array;
  readonly #in: Int32Array;
  readonly #links = new Map<string, number>();
  readonly #start: Int32Array;
  readonly #nowhere: number;
  readonly #limited: boolean;
  #steps = 0;

  constructor(rooms: readonly FleetRoom[], hosts: readonly FleetHost[], limits: FleetLimits) {
    // By id, so that the order they are given in never changes the plan.
    this.#rooms = [...rooms].sort((a, b) => (a.roomId < b.roomId ? -1 : 1));
    this.#hosts = [...hosts].sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
    this.#limits = limits;
    this.hosts = hosts.length + 1;
    const nowhere = hosts.length;
    this.#nowhere = nowhere;
    this.#limited =
      limits.moves !== undefined ||
      limits.movesPerLink !== undefined ||
      hosts.some(({ moves }) => moves !== undefined);
    const indexOf = new Map(this.#hosts.map(({ hostId }, index) => [hostId, index]));
    this.#costs = new Float64Array(rooms.length * this.hosts).fill(Number.POSITIVE_INFINITY);
    this.#at = new Int32Array(rooms.length);
    this.#on = Array.from({ length: this.hosts }, () => new Set<number>());
    this.#out = new Int32Array(this.hosts);
    this.#in = new Int32Array(this.hosts);
    this.#rooms.forEach((room, r) => {
      const now = (room.hostId === undefined ? undefined : indexOf.get(room.hostId)) ?? nowhere;
      this.#at[r] = now;
      this.#on[now]?.add(r);
      this.#costs[r * this.hosts + nowhere] = NOWHERE_COST;
      for (const [hostId, cost] of room.costs) {
        const h = indexOf.get(hostId);
        if (h === undefined) continue;
        if (!Number.isFinite(cost)) throw new RangeError(`cost of ${room.roomId} at ${hostId} is ${cost}`);
        this.#costs[r * this.hosts + h] = cost + (h === now || now === nowhere ? 0 : room.moveCost);
      }
      // It runs where it must not: as bad as nowhere, but it runs, so nowhere is a little worse.
      if (this.#cost(r, now) === Number.POSITIVE_INFINITY)
        this.#costs[r * this.hosts + now] = NOWHERE_COST - 1;
    });
    this.#start = this.#at.slice();
  }

  hasFreeSlot(host: number): boolean {
    return (this.#on[host]?.size ?? 0) < (this.#hosts[host]?.capacityRooms ?? Number.POSITIVE_INFINITY);
  }

  shift(from: number, to: number): { gainless: number; room: number } {
    let least = Number.POSITIVE_INFINITY;
    let room = -1;
    if (!this.#mayMove(from, to)) return { gainless: least, room };
    for (const r of this.#on[from] ?? []) {
      // Nobody who runs is stopped; who only just got a host may have to wait after all.
      if (to === this.#nowhere && this.#start[r] !== this.#nowhere) continue;
      // Budgets count moves of this plan, so within them a room moves once.
      if (this.#limited && this.#at[r] !== this.#start[r]) continue;
      const cost = this.#cost(r, to) - this.#cost(r, from);
      if (cost < least || (cost === least && r < room)) {
        least = cost;
        room = r;
      }
    }
    return { gainless: least, room };
  }

  /** @returns false when budgets do not allow the whole chain */
  apply(steps: readonly Step[]): boolean {
    if (this.#steps + steps.length > (this.#limits.moves ?? Number.POSITIVE_INFINITY)) return false;
    this.#steps += steps.length;
    for (const { room, from, to } of steps) {
      this.#on[from]?.delete(room);
      this.#on[to]?.add(room);
      this.#at[room] = to;
      this.#out[from] = (this.#out[from] ?? 0) + 1;
      this.#in[to] = (this.#in[to] ?? 0) + 1;
      const link = linkKey(from, to);
      this.#links.set(link, (this.#links.get(link) ?? 0) + 1);
    }
    return true;
  }

  /** From where all ran to where they should, each when its destination has a slot; a ring is opened by force. */
  #moves(): FleetMove[] {
    const on = new Int32Array(this.hosts);
    for (const host of this.#start) on[host] = (on[host] ?? 0) + 1;
    const waiting = new Set<number>();
    this.#at.forEach((host, r) => {
      if (host !== this.#start[r]) waiting.add(r);
    });
    const moves: FleetMove[] = [];
    while (waiting.size > 0) {
      const hasSlot = (r: number): boolean => {
        const to = this.#at[r] ?? 0;
        return (on[to] ?? 0) < (this.#hosts[to]?.capacityRooms ?? Number.POSITIVE_INFINITY);
      };
      const ready = [...waiting].filter(hasSlot);
      const ring = ready.length === 0;
      for (const r of ring ? [...waiting].slice(0, 1) : ready) {
        if (!ring && !hasSlot(r)) continue;
        const from = this.#start[r] ?? this.#nowhere;
        const to = this.#at[r] ?? this.#nowhere;
        waiting.delete(r);
        on[from] = (on[from] ?? 0) - 1;
        on[to] = (on[to] ?? 0) + 1;
        moves.push({
          roomId: this.#rooms[r]?.roomId ?? "",
          fromHostId: this.#hosts[from]?.hostId,
          toHostId: this.#hosts[to]?.hostId ?? "",
          ring,
        });
      }
    }
    return moves;
  }

  plan(): FleetPlan {
    const hostOf = new Map<string, string>();
    const unplaced: string[] = [];
    const stranded: string[] = [];
    let cost = 0;
    this.#rooms.forEach(({ roomId }, r) => {
      const host = this.#hosts[this.#at[r] ?? -1];
      if (host === undefined) unplaced.push(roomId);
      else {
        const here = this.#cost(r, this.#at[r] ?? 0);
        hostOf.set(roomId, host.hostId);
        if (here >= NOWHERE_COST - 1) stranded.push(roomId);
        else cost += here;
      }
    });
    return { moves: this.#moves(), hostOf, unplaced, stranded, cost };
  }

  #cost(room: number, host: number): number {
    return this.#costs[room * this.hosts + host] ?? Number.POSITIVE_INFINITY;
  }

  /** A chain passes a host once in and once out, so each direction has the budget to itself. */
  #mayMove(from: number, to: number): boolean {
    const budget = (host: number): number => this.#hosts[host]?.moves ?? Number.POSITIVE_INFINITY;
    return (
      (this.#out[from] ?? 0) < budget(from) &&
      (this.#in[to] ?? 0) < budget(to) &&
      (this.#links.get(linkKey(from, to)) ?? 0) < this.#linkBudget(from, to)
    );
  }

  /** Nobody leaves nowhere over a link. */
  #linkBudget(from: number, to: number): number {
    const { movesPerLink = Number.POSITIVE_INFINITY } = this.#limits;
    const a = this.#hosts[from]?.hostId;
    const b = this.#hosts[to]?.hostId;
    if (typeof movesPerLink === "number") return movesPerLink;
    return a === undefined || b === undefined ? Number.POSITIVE_INFINITY : movesPerLink(a, b);
  }
}

const linkKey = (from: number, to: number): string => `${from} ${to}`;
