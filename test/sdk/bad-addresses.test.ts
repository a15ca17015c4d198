/** Addresses that are none come from hosts and brokers: they cost what a dead host costs, and nobody else's game. */
import { networkSchema } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { NextHost } from "../../client/sdk/dist/next-host.js";
import { Prober } from "../../client/sdk/dist/prober.js";
import { Standby } from "../../client/sdk/dist/standby.js";
import { playerUrl } from "../../infra/room-host/dist/sessions/player-url.js";

const BAD = ["", "x", "ws://[object Object]/p/r", "http//:", "ws://h:99999/", "javascript:1"];
const host = { hostId: "h", name: "h", latitude: 0, longitude: 0 };

describe("an address that is none", () => {
  it("is a beacon that does not answer", async () => {
    using prober = new Prober();
    const beacons = BAD.map((url, at) => ({ hostId: `h${at}`, url }));
    const lost = beacons.map(({ hostId }) => ({ hostId, rttsMs: [], lost: 3 }));
    expect(await prober.measure(beacons)).toEqual(lost);
    expect(await prober.measureSoon(beacons)).toEqual(lost);
  });

  it("is a destination that is given up after the usual attempts", async () => {
    const [url = ""] = BAD.slice(1);
    await new Promise<void>((resolve) => {
      const moving = { type: "moving", migrationId: "m", epoch: 1, url, ticket: "t", host } as const;
      const events = { onOpen: () => undefined, onResumed: () => undefined, onAck: () => undefined };
      new NextHost(moving, { ...events, onGivenUp: resolve });
    });
  });

  it("is a standby that will not take over", () => {
    for (const url of BAD) {
      const standby = new Standby({
        url: () => url,
        host,
        reconnectionToken: () => "t",
        onResumed: () => undefined,
        onMovedHere: () => undefined,
      });
      expect(standby.waiting).toBe(false);
    }
  });
});

describe("a network's label", () => {
  it.each(["__proto__", "constructor", "toString", "elsewhere"])(
    "%s names no address of its own",
    (network) => {
      expect(playerUrl({ addresses: { "": "h:1" }, processId: "p" }, "r", "s", network)).toBe(
        "ws://h:1/p/r?sessionId=s",
      );
    },
  );

  it.each(["\ud800", "a\u0000b", "\u001b[2J", ".", "..", "x".repeat(65)])("may not be %j", (network) => {
    expect(networkSchema.safeParse(network).success).toBe(false);
  });

  it.each(["__proto__", "home wifi", "Zürich 5G", "host:a", "..."])("may be %j", (network) => {
    expect(networkSchema.parse(network)).toBe(network);
  });
});
