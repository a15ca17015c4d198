/** The plan of a lab: places, links and addresses. */

import { countOf, isWithin, networkOf } from "@centroid/agent";
import { defaultTopology, labGuests, labNetwork, parseTopology } from "@centroid/emulation";
import { describe, expect, it } from "vitest";

describe("topology of a lab", () => {
  it("puts each host in another city, with a site beside it that is nearest to its own host", () => {
    const { hosts, sites, links } = defaultTopology(4);
    expect(hosts).toHaveLength(4);
    expect(sites).toHaveLength(4);
    for (const [index, site] of sites.entries()) {
      const own = links.filter((link) => link.a === site.name).sort((x, y) => x.rttMs - y.rttMs);
      expect(own).toHaveLength(4);
      expect(own[0]!.b).toBe(hosts[index]!.name);
    }
  });

  it("refuses what cannot be built, naming it", () => {
    expect(() => defaultTopology(0)).toThrow(RangeError);
    expect(() => parseTopology({ hosts: [{ name: "a" }], sites: [{ name: "a" }] })).toThrow("share a name");
    expect(() => parseTopology({ hosts: [{ name: "a" }], links: [{ a: "a", b: "x", rttMs: 1 }] })).toThrow(
      "a - x",
    );
    expect(() => parseTopology({ hosts: [{ name: "a; reboot" }] })).toThrow();
  });

  it("gives every host guest addresses of its own, within the lab's network and beside hosts and sites", () => {
    const ranges = Array.from({ length: 16 }, (_, index) => labGuests(index));
    const network = networkOf(labNetwork);
    for (const [index, range] of ranges.entries()) {
      expect(countOf(range)).toBeGreaterThan(1_000);
      expect(isWithin(range.from, network) && isWithin(range.to, network)).toBe(true);
      for (const taken of ["10.77.1.1", "10.77.2.32"]) expect(isWithin(taken, range)).toBe(false);
      for (const other of ranges.slice(0, index)) {
        expect(isWithin(range.from, other) || isWithin(range.to, other)).toBe(false);
      }
    }
  });
});
