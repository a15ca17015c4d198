/** Plans for rooms in each other's way: whatever the fleet, they can be carried out as they are, within budgets. */
import {
  DEFAULT_PARAMETERS,
  type FleetBudget,
  HostTable,
  type HostView,
  LatencyMap,
  MigrationCosts,
  planMoves,
  type RoomView,
} from "@centroid/placement";
import fc from "fast-check";
import { expect, it } from "vitest";

const fleet = fc.record({
  capacities: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 5 }),
  draining: fc.boolean(),
  rooms: fc.array(
    fc.record({
      at: fc.nat({ max: 4 }),
      rtts: fc.array(fc.integer({ min: 5, max: 400 }), { minLength: 5, maxLength: 5 }),
      pressed: fc.boolean(),
    }),
    { minLength: 1, maxLength: 10 },
  ),
  movesPerHost: fc.integer({ min: 1, max: 8 }),
  movesPerLink: fc.integer({ min: 1, max: 4 }),
});

it("every step has a slot when its turn comes, budgets are kept, and nobody moves for nothing", () => {
  fc.assert(
    fc.property(fleet, ({ capacities, draining, rooms: drawn, movesPerHost, movesPerLink }) => {
      const map = new LatencyMap();
      const hosts = capacities.map(
        (capacityRooms, h): HostView => ({
          hostId: `h${h}`,
          // The first is on its way out.
          state: draining && h === 0 ? "draining" : "active",
          capacityRooms,
          rooms: 0,
          load: 0,
          carriers: ["process"],
          region: "",
        }),
      );
      for (const { hostId } of hosts) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
      const rooms: RoomView[] = [];
      const pressed: RoomView[] = [];
      drawn.forEach(({ at, rtts, pressed: isPressed }, r) => {
        const host = hosts[at % hosts.length];
        if (host === undefined || host.rooms >= host.capacityRooms) return;
        host.rooms++;
        const playerId = `p${r}`;
        map.upsertPlayer({ playerId });
        for (const { hostId } of hosts)
          for (let i = 0; i < 8; i++)
            map.addProbe({ playerId, hostId, atMs: i, rttMs: rtts[Number(hostId.slice(1))] ?? 1 });
        const room = { roomId: `r${r}`, hostId: host.hostId, playerIds: [playerId], carrier: "process" };
        rooms.push(room);
        if (host.state === "draining" || isPressed) pressed.push(room);
      });
      const table = new HostTable(map, hosts);
      const budget: FleetBudget = { movesPerHost, movesPerLink, spentHosts: {}, spentLinks: {} };
      const others = (hostId: string) => rooms.filter((room) => room.hostId === hostId);
      const question = { pressed, others, budget, atMs: 0 };
      const { moves, waiting } = planMoves(
        question,
        table,
        DEFAULT_PARAMETERS,
        new MigrationCosts(DEFAULT_PARAMETERS),
      );

      const on = new Map(hosts.map(({ hostId, rooms: count }) => [hostId, count]));
      const starts = new Map<string, number>();
      const ends = new Map<string, number>();
      const links = new Map<string, number>();
      const count = (of: Map<string, number>, key: string): number => {
        of.set(key, (of.get(key) ?? 0) + 1);
        return of.get(key) ?? 0;
      };
      const gone = new Set<string>();
      for (const { roomId, fromHostId = "", toHostId, afterRoomIds, reason, gainMs, text } of moves) {
        for (const before of afterRoomIds) expect(gone).toContain(before);
        expect(on.get(toHostId)).toBeLessThan(capacities[Number(toHostId.slice(1))] ?? 0);
        on.set(fromHostId, (on.get(fromHostId) ?? 0) - 1);
        on.set(toHostId, (on.get(toHostId) ?? 0) + 1);
        expect(count(starts, fromHostId)).toBeLessThanOrEqual(movesPerHost);
        expect(count(ends, toHostId)).toBeLessThanOrEqual(movesPerHost);
        expect(count(links, `${fromHostId} ${toHostId}`)).toBeLessThanOrEqual(movesPerLink);
        gone.add(roomId);
        expect(reason === "drain").toBe(draining && fromHostId === "h0");
        // Who makes way may lose; who is pressed and could stay never does.
        if (reason === "latency") expect(gainMs).toBeGreaterThan(0);
        expect(text).toContain(toHostId);
      }
      expect(gone.size).toBe(moves.length);
      for (const { roomId, hostId } of pressed)
        if (draining && hostId === "h0") expect(gone.has(roomId) !== waiting.includes(roomId)).toBe(true);
    }),
    { numRuns: Number(process.env.RUNS ?? 200) },
  );
}, 60_000);
