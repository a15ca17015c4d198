/** The demo world: measured numbers, plausible geography. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadWorld } from "@centroid/bots";
import { getDistance } from "geolib";
import { describe, expect, test } from "vitest";
import { assignNodes, expectedRttMs, extractCsv } from "./extract.js";

const repo = new URL("../../../", import.meta.url);
const world = loadWorld();

function readMatrix(): number[][] {
  const csv = readFileSync(new URL("data/planetlab-rtt-1.csv", repo), "utf8");
  return csv
    .trim()
    .split("\n")
    .map((row) => row.split(",").map(Number));
}

describe("demo world", () => {
  test("its round trips are the rows and columns of the measured matrix that the assignment picks", async () => {
    const matrix = readMatrix();
    const csv = extractCsv(world.cities, matrix, assignNodes(world.cities, matrix));
    await expect(csv).toMatchFileSnapshot(fileURLToPath(new URL("client/bots/data/world-rtt.csv", repo)));
  }, 120_000);

  test("differs from the expectation by distance by less than 25 ms on average", () => {
    const differences = world.cities.flatMap((a) =>
      world.cities
        .filter((b) => b !== a)
        .map((b) => Math.abs(world.rttMs(a.cityId, b.cityId) - expectedRttMs(a, b))),
    );
    const meanMs = differences.reduce((sum, d) => sum + d, 0) / differences.length;
    expect(meanMs).toBeLessThan(25);
  });

  test("the nearest host by round trip is, for most cities, the nearest on the map", () => {
    const agree = world.cities.filter((city) => {
      const by = (distance: (hostId: string) => number) =>
        [...world.hosts].sort((a, b) => distance(a.cityId) - distance(b.cityId))[0];
      const onMap = by((id) => getDistance(city, world.hosts.find((h) => h.cityId === id) ?? city));
      return by((id) => world.rttMs(city.cityId, id)) === onMap;
    });
    expect(agree.length / world.cities.length).toBeGreaterThan(0.75);
  });

  test("unknown places are named in the error", () => {
    expect(() => world.rttMs("frankfurt", "atlantis")).toThrow(/atlantis/);
  });
});
