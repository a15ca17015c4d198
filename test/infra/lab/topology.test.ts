/** The plan of a lab: places, links and addresses. */
import { defaultTopology, guestAddress, parseTopology } from "@centroid/infra";
import fc from "fast-check";
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

  it("gives every guest another address and MAC", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 49_999 }), fc.integer({ min: 0, max: 49_999 }), (a, b) => {
        fc.pre(a !== b);
        expect(guestAddress(a).ip).not.toBe(guestAddress(b).ip);
        expect(guestAddress(a).mac).not.toBe(guestAddress(b).mac);
      }),
    );
    expect(() => guestAddress(50_000)).toThrow(RangeError);
  });
});
