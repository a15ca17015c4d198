/** What the latency map still has of players who have left. */
import * as v8 from "node:v8";
import { expect, it } from "vitest";
import { LatencyMap } from "../../placement/dist/latency/latency-map.js";
import { PlayerRecord } from "../../placement/dist/latency/player-record.js";

/** Of Node 20.13 and later; @types/node 20 does not have it. */
type QueryObjects = (ofClass: unknown, options: { format: "count" }) => number;
const { queryObjects } = v8 as unknown as { queryObjects: QueryObjects };

const COME = 5_000;
const PRESENT = 100;

it("is nothing, though nobody has ever pinged a host often enough to be somebody's turn", () => {
  const map = new LatencyMap();
  map.upsertHost({ hostId: "host", latitude: 0, longitude: 0 });
  for (let player = 0; player < COME; player++) {
    const playerId = `player-${player}`;
    map.upsertPlayer({ playerId });
    map.addProbe({ playerId, hostId: "host", atMs: player, rttMs: 20 });
    map.removePlayer(`player-${player - PRESENT}`);
  }
  // Those who are present, and what the turn that is under way holds on to.
  const held = queryObjects(PlayerRecord, { format: "count" });
  expect(held).toBeLessThan(5 * PRESENT);
  expect(map.hasMeasured(`player-${COME - 1}`)).toBe(true);
});
