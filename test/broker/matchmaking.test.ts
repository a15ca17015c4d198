/** Joining: which room a player gets, at which host, and what stock clients are answered. */
import { CentroidError } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { until, World } from "./support/world.js";

describe("matchmaking", () => {
  it("creates a room for the first and seats the second in it", async () => {
    await using world = await World.start(["a", "b"]);
    const first = await world.join("joinOrCreate", "arena", { team: "red" });
    const second = await world.join("joinOrCreate", "arena");
    expect(second.roomId).toBe(first.roomId);
    expect(first.publicAddress).toBe(`${first.centroid.host.hostId}.test:1`);
    const [room] = await world.get<{ players: number }[]>("/api/v1/rooms");
    await until(async () => (await world.get<{ players: number }[]>("/api/v1/rooms"))[0]?.players === 2);
    expect(room).toMatchObject({ roomId: first.roomId, state: "running", epoch: 1 });
  });

  it("hides the SDK's hints from the room", async () => {
    await using world = await World.start(["a"]);
    await world.join("create", "arena", { team: "red", "~centroid": { protocol: 1, probes: [] } });
    const [request] = world.agent("a").requests.filter(({ method }) => method === "createRoom");
    expect(request).toMatchObject({ options: { team: "red" }, seat: { options: { team: "red" } } });
    expect(JSON.stringify(request)).not.toContain("~centroid");
  });

  it("makes as many rooms as needed when many join at once", async () => {
    await using world = await World.start([]);
    await world.host("a", { maxPlayers: 4 });
    const seats = await Promise.all(Array.from({ length: 10 }, () => world.match("joinOrCreate", "arena")));
    const perRoom = new Map<string, number>();
    for (const { roomId } of seats) perRoom.set(roomId, (perRoom.get(roomId) ?? 0) + 1);
    expect([...perRoom.values()].sort()).toEqual([2, 4, 4]);
  });

  it.each([
    ["join", "arena", 521],
    ["joinById", "nothing", 522],
    ["joinOrCreate", "unheard-of", 520],
    ["reconnect", "nothing", 522],
    ["steal", "arena", 520],
  ])("answers %s %s as Colyseus does", async (method, target, status) => {
    await using world = await World.start(["a"]);
    const response = await world.call("POST", `/matchmake/${method}/${target}`, {}, "");
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code: status, error: expect.any(String) });
  });

  it("says that the room has ended if it did so before its host has answered", async () => {
    await using world = await World.start(["a"]);
    const agent = world.agent("a");
    agent.scripts.set("createRoom", async (request) => {
      const answer = await agent.usual(request);
      agent.tell(agent.rooms.get(request.roomId)!, { event: "disposed" });
      return answer;
    });
    const response = await world.call("POST", "/matchmake/create/arena", {}, "");
    expect(await response.json()).toMatchObject({
      error: expect.stringMatching(/ended as soon as it had begun/),
    });
    expect(await world.get("/api/v1/rooms")).toEqual([]);
  });

  it("lets pages of any origin join, with credentials", async () => {
    await using world = await World.start(["a"]);
    const response = await fetch(`${world.broker.url}/matchmake/create/arena`, {
      method: "POST",
      headers: { origin: "https://game.example", "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://game.example");
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    const preflight = await fetch(`${world.broker.url}/matchmake/create/arena`, {
      method: "OPTIONS",
      headers: { origin: "https://game.example", "access-control-request-method": "POST" },
    });
    expect(preflight.ok).toBe(true);
  });

  it("places a new room by the joiner's probes", async () => {
    await using world = await World.start(["a", "b", "c"]);
    const probes = [
      { hostId: "a", rttsMs: [80, 81, 82] },
      { hostId: "b", rttsMs: [9, 10, 11] },
      { hostId: "c", rttsMs: [150, 151, 152] },
    ];
    const seat = await world.match("create", "arena", { "~centroid": { protocol: 1, probes } });
    expect(seat.centroid.host.hostId).toBe("b");
  });

  it("places a new room for the whole party", async () => {
    await using world = await World.start(["a", "b"]);
    const at = (a: number, b: number) => [
      { hostId: "a", rttsMs: [a, a, a] },
      { hostId: "b", rttsMs: [b, b, b] },
    ];
    const party = [{ probes: at(200, 40) }, { probes: at(200, 40) }];
    const hints = { protocol: 1, probes: at(20, 60), party };
    const seat = await world.match("create", "arena", { "~centroid": hints });
    expect(seat.centroid.host.hostId).toBe("b");
  });

  it("asks the host once for a new room and its creator's seat", async () => {
    await using world = await World.start(["a"]);
    const seat = await world.match("create", "arena", { colour: "red" });
    const asked = world.agent("a").requests.map(({ method }) => method);
    expect(asked.filter((method) => method === "createRoom" || method === "reserveSeat")).toEqual([
      "createRoom",
    ]);
    expect(world.agent("a").requests.find(({ method }) => method === "createRoom")).toMatchObject({
      seat: { sessionId: seat.sessionId, options: { colour: "red" } },
    });
  });

  it("tries another host when the best one cannot create", async () => {
    await using world = await World.start(["a", "b"]);
    world.agent("a").scripts.set("createRoom", () => world.agent("a").disconnect());
    const probes = [
      { hostId: "a", rttsMs: [5, 5, 5] },
      { hostId: "b", rttsMs: [90, 90, 90] },
    ];
    const seat = await world.match("create", "arena", { "~centroid": { protocol: 1, probes } });
    // The one at "a" may exist all the same; no broker takes it for the room, whichever it hears of first.
    expect(seat.centroid).toMatchObject({ host: { hostId: "b" }, epoch: 2 });
    expect(world.agent("a").rooms.has(seat.roomId)).toBe(true);
    await world.agent("a").connect();
    await until(() => !world.agent("a").rooms.has(seat.roomId));
  });

  it("orders a room again and again while its host loses its lease as it builds it", async () => {
    await using world = await World.start(["a"]);
    const agent = world.agent("a");
    const ordered: string[] = [];
    agent.scripts.set("createRoom", ({ roomId }) => {
      ordered.push(roomId);
      if (ordered.length === 6) return undefined;
      throw new CentroidError("STALE_EPOCH", "called off while it was being built");
    });
    const seat = await world.match("create", "arena");
    expect(seat.centroid).toMatchObject({ host: { hostId: "a" }, epoch: 1 });
    // What was called off may still end there: each time it is another room.
    expect(new Set(ordered).size).toBe(6);
    expect(ordered.at(-1)).toBe(seat.roomId);
    expect(await world.get<unknown[]>("/api/v1/rooms")).toHaveLength(1);
    // It says what happened once that host is none to wait for.
    const refused = world.match("create", "arena").catch((cause: unknown) => cause);
    await until(() => ordered.length > 7);
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    expect(String(await refused)).toMatch(
      /no host can take a new room now \(a: lost its lease while it built the room\)/,
    );
  });

  it("reconnects to the seat that the token names", async () => {
    await using world = await World.start(["a"]);
    const seat = await world.join("create", "arena");
    const again = await world.match("reconnect", seat.roomId, { reconnectionToken: seat.sessionId });
    expect(again).toMatchObject({ sessionId: seat.sessionId, reconnectionToken: seat.sessionId });
    await expect(world.match("reconnect", seat.roomId, { reconnectionToken: "x" })).rejects.toMatchObject({
      status: 524,
    });
  });

  it("gives the seat back when the host refuses", async () => {
    await using world = await World.start([]);
    await world.host("a", { maxPlayers: 1 });
    const seat = await world.match("create", "arena");
    await expect(world.match("joinById", seat.roomId)).rejects.toMatchObject({
      body: { reason: "ROOM_FULL" },
    });
    world.agent("a").scripts.set("createRoom", () => Promise.reject(new Error("onAuth threw")));
    await expect(world.match("create", "arena")).rejects.toThrow("onAuth threw");
    world.agent("a").scripts.clear();
    expect(await world.get<unknown[]>("/api/v1/rooms")).toHaveLength(1);
    const next = await world.match("joinOrCreate", "arena");
    expect(next.roomId).not.toBe(seat.roomId);
    expect(await world.get<unknown[]>("/api/v1/rooms")).toHaveLength(2);
  });
});
