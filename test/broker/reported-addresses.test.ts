/** What agents may report as addresses: players and other hosts dial them. */
import { describe, expect, it } from "vitest";
import { assertAddress, assertAnswer, placeOf } from "../../server/broker/dist/hosts/reported-addresses.js";
import { until, World } from "./support/world.js";

const refuses = (run: () => void) => expect(run).toThrow(/the agent reports the address/);

it.each([
  "fra-2.example:2568",
  "10.0.0.7:1",
  "[2001:db8::1]:65535",
  "edge.example:443/rooms/fra-2",
  "a_b.test:9",
])("takes %s from anywhere", (address) => {
  assertAddress(address, "elsewhere");
});

it.each([
  ["no port", "fra-2.example"],
  ["a port that is none", "h:0"],
  ["a port beyond the last", "h:65536"],
  ["a user", "good.example:1@evil.example:2"],
  ["a query", "h:1?x=1"],
  ["a query behind a path", "h:1/p?x"],
  ["a fragment", "h:1#x"],
  ["a backslash", "h:1\\evil"],
  ["a step up", "h:1/../x/%2e%2e"],
  ["a line break", "h:1\nh:2"],
  ["a space", "h :1"],
  ["a scheme", "http://h:1"],
  ["an address in disguise", "2130706433:1"],
  ["hexadecimal digits", "0x7f.1:1"],
  ["every address", "0.0.0.0:1"],
  ["every address of IPv6", "[::]:1"],
  ["where a cloud answers about itself", "169.254.169.254:80"],
  ["a link-local address", "[fe80::1]:80"],
  ["many", "224.0.0.1:80"],
  ["an IPv4 address inside IPv6", "[::ffff:169.254.169.254]:80"],
  ["nothing", ""],
])("refuses %s: %j", (_what, address) => {
  for (const place of ["this-machine", "elsewhere"] as const) refuses(() => assertAddress(address, place));
});

it.each([
  "127.0.0.1:1",
  "127.9.9.9:1",
  "[::1]:1",
  "localhost:1",
  "x.localhost:1",
  "LOCALHOST:1",
  "[::ffff:127.0.0.1]:1",
])("takes %s from this machine only", (address) => {
  assertAddress(address, "this-machine");
  refuses(() => assertAddress(address, "elsewhere"));
});

it("knows where an agent dials from", () => {
  expect([undefined, "127.0.0.1", "::1", "::ffff:127.0.0.1"].map(placeOf)).toEqual(
    Array(4).fill("this-machine"),
  );
  expect(["10.0.0.1", "2001:db8::1"].map(placeOf)).toEqual(["elsewhere", "elsewhere"]);
});

it.each([
  "ext:///x?command=/bin/sh",
  "unix:///run/x",
  "tcp://h/system?command=x",
  "ws://h:1?x",
  "ws://u@h:1/",
  "h:1",
])("lets no room go to %s", (transferUrl) => {
  refuses(() => assertAnswer({ processId: "p", address: "h:1", transferUrl, ticket: "t" }, "this-machine"));
});
it.each(["tcp://10.0.0.2", "tcp://peer.example:16509", "ws://h:1/handoff/m-1"])(
  "lets rooms go to %s",
  (transferUrl) => {
    assertAnswer({ processId: "vm", address: "h:1", transferUrl, ticket: "t" }, "elsewhere");
  },
);

describe("a broker", () => {
  it.each([
    { beaconUrl: "http://a.test:1/beacon" },
    { beaconUrl: "ws://a.test:1@evil.example/beacon" },
    { beaconUrl: "ws://169.254.169.254:80/latest" },
  ])("does not take a host with %j", async (hello) => {
    await using world = await World.start([]);
    await expect(world.host("a", { hello })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(world.broker.hosts()).toEqual([]);
  });

  it("tells no player of an address that an answer made up", async () => {
    await using world = await World.start(["a"]);
    world.agent("a").scripts.set("createRoom", () => ({
      ...{ processId: "p", address: "evil.example:1@a.test:2", locked: false },
    }));
    const response = await world.call("POST", "/matchmake/create/arena", {}, "");
    expect(response.ok).toBe(false);
    expect(await response.text()).toContain("the agent reports the address");
  });

  it("does not hear more of a host that reports one", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    const agent = world.agent("a");
    const room = agent.rooms.get(roomId)!;
    agent.tell(room, { event: "running", report: { ...agent.report(room), address: "h:1/../x" } });
    await until(() => agent.refused !== undefined);
    expect(agent.refused?.code).toBe("BAD_REQUEST");
  });
});
