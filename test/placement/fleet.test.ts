/** Fleet assignment against the exact optimum of a full search, and what every plan must keep. */
import { assignFleet, type FleetHost, type FleetRoom } from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface Instance {
  rooms: FleetRoom[];
  hosts: FleetHost[];
}

/** Rooms that start on real hosts within capacity, or nowhere. */
const instance = fc
  .record({
    hosts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 5 }),
    rooms: fc.array(
      fc.record({
        start: fc.integer({ min: -1, max: 4 }),
        costs: fc.array(fc.option(fc.integer({ min: 0, max: 500 }), { freq: 6 }), {
          minLength: 5,
          maxLength: 5,
        }),
        moveCost: fc.integer({ min: 0, max: 100 }),
      }),
      { minLength: 1, maxLength: 7 },
    ),
  })
  .map(({ hosts, rooms }): Instance => {
    const used = hosts.map(() => 0);
    return {
      hosts: hosts.map((capacityRooms, h) => ({ hostId: `h${h}`, capacityRooms })),
      rooms: rooms.map(({ start, costs, moveCost }, r) => {
        const fits = start >= 0 && start < hosts.length && (used[start] ?? 0) < (hosts[start] ?? 0);
        if (fits) used[start] = (used[start] ?? 0) + 1;
        return {
          roomId: `r${r}`,
          hostId: fits ? `h${start}` : undefined,
          costs: new Map(
            costs
              .slice(0, hosts.length)
              .flatMap((cost, h) => (cost === null ? [] : [[`h${h}`, cost] as const])),
          ),
          moveCost,
        };
      }),
    };
  });

/** Of all assignments that stop nobody who runs, the one that places most rooms, of those the cheapest: depth first, pruned. */
function optimum({ rooms, hosts }: Instance): { placed: number; cost: number } {
  const left = new Map(hosts.map(({ hostId, capacityRooms }) => [hostId, capacityRooms]));
  let best = { placed: 0, cost: Number.POSITIVE_INFINITY };
  const search = (index: number, placed: number, cost: number): void => {
    const room = rooms[index];
    if (placed + rooms.length - index < best.placed) return;
    if (room === undefined) {
      if (placed > best.placed || cost < best.cost) best = { placed, cost };
      return;
    }
    for (const [hostId, price] of room.costs) {
      const slots = left.get(hostId) ?? 0;
      if (slots === 0) continue;
      const moved = room.hostId === undefined || room.hostId === hostId ? 0 : room.moveCost;
      left.set(hostId, slots - 1);
      search(index + 1, placed + 1, cost + price + moved);
      left.set(hostId, slots);
    }
    if (room.hostId === undefined) search(index + 1, placed, cost);
  };
  search(0, 0, 0);
  return best;
}

describe("assignFleet", () => {
  it("finds the exact optimum", () => {
    fc.assert(
      fc.property(
        // Where a room may not stay, it may be left if nobody else can take it: compared without such rooms.
        instance.filter(({ rooms }) =>
          rooms.every((room) => room.hostId === undefined || room.costs.has(room.hostId)),
        ),
        (given) => {
          const plan = assignFleet(given.rooms, given.hosts);
          const exact = optimum(given);
          expect(plan.hostOf.size).toBe(exact.placed);
          expect(plan.cost).toBeCloseTo(exact.cost, 6);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("makes moves in an order that never overfills a host, within its budgets", () => {
    fc.assert(
      fc.property(
        instance,
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        (given, each, all) => {
          const hosts = given.hosts.map((host) => ({ ...host, moves: each }));
          const plan = assignFleet(given.rooms, hosts, { moves: all, movesPerLink: 1 });
          expect(plan.moves.length).toBeLessThanOrEqual(all);
          const at = new Map(given.rooms.map(({ roomId, hostId }) => [roomId, hostId]));
          const links = new Set<string>();
          for (const { roomId, fromHostId, toHostId, ring } of plan.moves) {
            expect(at.get(roomId)).toBe(fromHostId);
            at.set(roomId, toHostId);
            const on = [...at.values()].filter((hostId) => hostId === toHostId).length;
            const capacity = hosts.find(({ hostId }) => hostId === toHostId)?.capacityRooms ?? 0;
            expect(on).toBeLessThanOrEqual(capacity + (ring ? 1 : 0));
            if (fromHostId !== undefined) {
              expect(links.has(`${fromHostId} ${toHostId}`)).toBe(false);
              links.add(`${fromHostId} ${toHostId}`);
            }
          }
          for (const { hostId } of hosts) {
            expect(plan.moves.filter((move) => move.toHostId === hostId).length).toBeLessThanOrEqual(each);
            expect(plan.moves.filter((move) => move.fromHostId === hostId).length).toBeLessThanOrEqual(each);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("evicts down a chain when a drained host's room fits nowhere else", () => {
    const costs = (of: Record<string, number>) => new Map(Object.entries(of));
    const plan = assignFleet(
      [
        { roomId: "x", hostId: "drained", costs: costs({ a: 10 }), moveCost: 5 },
        { roomId: "y", hostId: "a", costs: costs({ a: 10, b: 30 }), moveCost: 5 },
      ],
      [
        { hostId: "a", capacityRooms: 1 },
        { hostId: "b", capacityRooms: 1 },
        { hostId: "drained", capacityRooms: 1 },
      ],
    );
    expect(plan.moves.map(({ roomId, toHostId }) => `${roomId} ${toHostId}`)).toEqual(["y b", "x a"]);
  });

  it("names rooms that must go and have nowhere to go", () => {
    const plan = assignFleet(
      [{ roomId: "x", hostId: "a", costs: new Map(), moveCost: 1 }],
      [{ hostId: "a", capacityRooms: 1 }],
    );
    expect(plan).toMatchObject({ moves: [], stranded: ["x"], unplaced: [], cost: 0 });
  });

  it("does not depend on the order of rooms and hosts", () => {
    fc.assert(
      fc.property(instance, (given) => {
        const again = assignFleet([...given.rooms].reverse(), [...given.hosts].reverse());
        expect(again).toEqual(assignFleet(given.rooms, given.hosts));
      }),
      { numRuns: 100 },
    );
  });
});
