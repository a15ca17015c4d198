/** The control API and the event stream as operators' programs use them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerEvent, controlRoutes, eventSchema, playerRoutes } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { hostOf, until, World } from "./support/world.js";

const listen = (world: World, headers: Record<string, string> = {}) => {
  const socket = new WebSocket(`${world.broker.url.replace("http", "ws")}/events`, { headers });
  const events: BrokerEvent[] = [];
  const closed = new Promise<number>((resolve) => {
    socket.on("close", resolve);
    socket.on("error", () => resolve(-1));
  });
  socket.on("message", (data: Buffer) => events.push(eventSchema.parse(JSON.parse(data.toString()))));
  return { socket, events, closed };
};

describe("the control API", () => {
  it("shows hosts, rooms, state, decisions and itself", async () => {
    await using world = await World.start(["a"], { emulated: true });
    const { roomId } = await world.join("create", "arena");
    expect(await world.get("/api/v1/hosts")).toMatchObject([{ hostId: "a", state: "active", rooms: 1 }]);
    await until(async () => (await world.get<{ players: number }>("/api/v1/status")).players === 1);
    expect(await world.get("/api/v1/status")).toMatchObject({ hosts: 1, rooms: 1, emulated: true });
    expect(await world.get(`/api/v1/rooms/${roomId}/state`)).toMatchObject({ state: { epoch: 1 } });
    expect(await world.get(`/api/v1/rooms/${roomId}/decisions`)).toMatchObject([
      { verdict: "stay" },
      { verdict: "place", toHostId: "a", candidates: [{ hostId: "a" }], text: expect.stringMatching(/a/) },
    ]);
  });

  it("takes the beginning of a room's id for the room, if it is the only one", async () => {
    let made = 0;
    const newId = (): string => `id-${String(made++).padStart(3, "0")}-tail`;
    await using world = await World.start(["a", "b"], { newId });
    const rooms: string[] = [];
    for (let room = 0; room < 3; room++) rooms.push((await world.join("create", "arena")).roomId);
    const [first = ""] = rooms;
    const shared = "id-0";
    const unique = first.slice(0, "id-000".length);
    for (const path of ["", "/state", "/decisions"])
      expect((await world.call("GET", `/api/v1/rooms/${unique}${path}`)).status).toBe(200);
    expect(await world.get(`/api/v1/rooms/${unique}`)).toMatchObject({ roomId: first });
    const to = (await hostOf(world, first)) === "a" ? "b" : "a";
    expect(await world.move(unique, to)).toMatchObject({ roomId: first, toHostId: to });
    expect(await world.get(`/api/v1/receipts?roomId=${unique}`)).toMatchObject([{ roomId: first }]);
    const ambiguous = await world.call("GET", `/api/v1/rooms/${shared}/decisions`);
    expect(ambiguous.status).toBe(409);
    const { error } = (await ambiguous.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe("ROOM_AMBIGUOUS");
    for (const roomId of rooms) expect(error.message).toContain(roomId);
    // A player's join is exact: a guess must not get in.
    await expect(world.match("joinById", unique)).rejects.toMatchObject({ status: 522 });
  });

  it.each([
    ["GET", "/api/v1/rooms/none", undefined, 404, "ROOM_NOT_FOUND"],
    ["GET", "/api/v1/receipts?limit=0", undefined, 400, "BAD_REQUEST"],
    ["POST", "/api/v1/hosts/none/drain", {}, 404, "HOST_NOT_FOUND"],
    ["POST", "/api/v1/rooms/none/move", {}, 400, "BAD_REQUEST"],
    ["POST", "/api/v1/rooms/none/move", { hostId: "a" }, 404, "ROOM_NOT_FOUND"],
    ["GET", "/api/v1/nothing", undefined, 404, "NOT_FOUND"],
    ["POST", "/api/v1/whatif", { roomId: "x", location: { latitude: 99, longitude: 0 } }, 400, "BAD_REQUEST"],
  ])("answers %s %s (%j) with %i %s", async (method, path, body, status, code) => {
    await using world = await World.start(["a"]);
    const response = await world.call(method, path, body);
    expect([response.status, await response.json()]).toEqual([
      status,
      { error: { code, message: expect.any(String) } },
    ]);
  });

  it("answers broken JSON and too much of it with a typed error", async () => {
    await using world = await World.start([]);
    const post = (body: string) =>
      fetch(`${world.broker.url}/centroid/v1/probes`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
    expect(await (await post("{")).json()).toMatchObject({ error: { code: "BAD_REQUEST" } });
    // Found by the fuzzer: a length that is no number made the check itself throw.
    const odd = { playerId: "p", playerToken: "t", probes: { length: { toString: 1, valueOf: 1 } } };
    expect((await post(JSON.stringify(odd))).status).toBe(400);
    const large = await post(JSON.stringify({ x: "y".repeat(100_000) }));
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ error: { code: "FRAME_TOO_LARGE" } });
  });

  it("changes nothing without the admin token, and records who changed what", async () => {
    const lines: object[] = [];
    const record = (line: object) => void lines.push(line);
    const logger = { debug: () => undefined, info: record, warn: () => undefined, error: () => undefined };
    await using world = await World.start(["a"], { logger: logger as never });
    for (const token of ["", "guess", world.broker.agentToken]) {
      const response = await world.call("POST", "/api/v1/hosts/a/drain", {}, token);
      expect(response.status).toBe(401);
    }
    expect(world.broker.hosts()[0]?.state).toBe("active");
    expect((await world.call("POST", "/api/v1/hosts/a/drain", {})).status).toBe(200);
    expect(world.broker.hosts()[0]?.state).toBe("draining");
    expect(lines.filter((line) => "audit" in line)).toHaveLength(4);
    expect(lines.at(-1)).toMatchObject({ audit: true, hostId: "a", outcome: "done" });
    expect(JSON.stringify(lines)).not.toContain(world.broker.adminToken);
    expect((await world.call("POST", "/api/v1/hosts/a/activate", {})).status).toBe(200);
  });

  it("is not readable for foreign pages, nor under a foreign name", async () => {
    await using world = await World.start([]);
    const get = async (headers: Record<string, string>) => {
      const { request } = await import("node:http");
      return new Promise<number | undefined>((resolve, reject) => {
        request(`${world.broker.url}/api/v1/rooms`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end();
      });
    };
    expect(await get({})).toBe(200);
    expect(await get({ origin: "https://evil.example" })).toBe(401);
    expect(await get({ host: "evil.example" })).toBe(401);
    expect(await get({ host: "evil.example", authorization: `Bearer ${world.broker.adminToken}` })).toBe(200);
    expect(await listen(world, { origin: "https://evil.example" }).closed).toBe(-1);
  });

  it("kicks", async () => {
    await using world = await World.start(["a"]);
    const { roomId, sessionId } = await world.join("create", "arena");
    const kick = (id: string) => world.call("POST", `/api/v1/rooms/${roomId}/sessions/${id}/kick`, {});
    expect((await kick("nobody")).status).toBe(404);
    expect((await kick(sessionId)).status).toBe(200);
    await until(() => world.broker.hosts()[0]?.players === 0);
  });

  it("says what would be, and moves nothing", async () => {
    await using world = await World.start([]);
    await world.host("paris", { latitude: 48.9, longitude: 2.4 });
    await world.host("tokyo", { latitude: 35.7, longitude: 139.7 });
    const hints = { protocol: 1, location: { latitude: 48.9, longitude: 2.4 }, probes: [] };
    const { roomId } = await world.join("create", "arena", { "~centroid": hints });
    const ask = async (latitude: number, longitude: number) =>
      (await world.call("POST", "/api/v1/whatif", { roomId, location: { latitude, longitude } })).json();
    expect(await ask(48, 2)).toMatchObject({ verdict: "stay", fromHostId: "paris" });
    expect(await ask(35, 139)).toMatchObject({ roomId, candidates: expect.any(Array) });
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ hostId: "paris", players: 1 });
  });

  it("describes itself, on a page that needs nothing from elsewhere", async () => {
    await using world = await World.start([]);
    const document = await world.get<{ paths: Record<string, Record<string, { summary?: string }>> }>(
      "/openapi.json",
    );
    const routes = [...Object.values(controlRoutes), ...Object.values(playerRoutes)];
    for (const { method, path, summary } of routes) {
      const described = document.paths[path.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
      expect([path, described?.summary]).toEqual([path, summary]);
    }
    const described = Object.entries(document.paths).filter(([path]) => /^\/(api|centroid)\/v1/.test(path));
    expect(described.flatMap(([, methods]) => Object.keys(methods))).toHaveLength(routes.length);
    const page = await world.call("GET", "/docs/");
    const html = await page.text();
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'self'/);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    const init = await (await world.call("GET", "/docs/static/swagger-initializer.js")).text();
    expect(init).not.toMatch(/validator\.swagger\.io/);
  });

  it("tells a supervisor how it is", async () => {
    await using world = await World.start([]);
    expect(await world.get("/healthz")).toEqual({ ok: true });
    const unready = await world.call("GET", "/readyz");
    expect([unready.status, await unready.json()]).toEqual([
      503,
      { ready: false, reason: expect.any(String) },
    ]);
    await world.host("a");
    expect((await world.call("GET", "/readyz")).status).toBe(200);
    await world.join("create", "arena");
    const metrics = await (await world.call("GET", "/metrics")).text();
    expect(metrics).toContain('centroid_hosts{state="active"} 1');
    expect(metrics).toContain("centroid_rooms 1");
    expect(metrics).toContain('centroid_matchmake_total{method="create",outcome="ok"} 1');
    expect(metrics).toContain("centroid_broker_process_resident_memory_bytes");
  });

  it("serves the dashboard, and no file beside it", async () => {
    const dir = await mkdtemp(join(tmpdir(), "centroid-dashboard-"));
    await writeFile(join(dir, "index.html"), "<title>Centroid</title>");
    await using world = await World.start([], { dashboardDir: dir });
    expect(await (await world.call("GET", "/")).text()).toContain("Centroid");
    expect((await world.call("GET", "/..%2f..%2fetc/passwd")).status).toBeGreaterThanOrEqual(400);
    await rm(dir, { recursive: true });
  });

  it("limits what one address may ask", async () => {
    await using world = await World.start(["a"], { limits: { requests: { perSecond: 0.001, burst: 3 } } });
    const ask = (path: string, token = "") => world.call("GET", path, undefined, token);
    for (let i = 0; i < 3; i++) expect((await ask("/centroid/v1/beacons")).status).toBe(200);
    const refused = await ask("/centroid/v1/beacons");
    expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toEqual([
      429,
      "1",
      { error: { code: "RATE_LIMITED", message: expect.stringContaining("too many requests") } },
    ]);
    const join = await world.call("POST", "/matchmake/create/arena", {}, "");
    expect([join.status, join.headers.get("retry-after"), await join.json()]).toEqual([
      429,
      "1",
      { code: 429, error: expect.any(String), reason: "RATE_LIMITED" },
    ]);
    expect((await ask("/api/v1/rooms")).status).toBe(429);
    // Operators and whoever watches over the broker are not held up by it.
    expect((await ask("/api/v1/rooms", world.broker.viewerToken)).status).toBe(200);
    expect((await ask("/healthz")).status).toBe(200);
  });
});

describe("the event stream", () => {
  it("begins with a snapshot and goes on in order", async () => {
    await using world = await World.start(["a", "b"]);
    const before = await world.join("create", "arena");
    await until(() => world.broker.hosts().some(({ players }) => players === 1));
    const { socket, events } = listen(world);
    await until(() => events.length > 0);
    expect(events[0]).toMatchObject({
      type: "snapshot",
      hosts: [{ hostId: "a" }, { hostId: "b" }],
      rooms: [{ roomId: before.roomId, players: 1 }],
      players: [{ playerId: before.centroid.playerId }],
    });
    const { roomId, centroid } = before;
    const to = centroid.host.hostId === "a" ? "b" : "a";
    const receipt = await world.move(roomId, to);
    await until(() => events.some(({ type }) => type === "receipt"));
    const of = <T extends BrokerEvent["type"]>(type: T) =>
      events.filter((event): event is Extract<BrokerEvent, { type: T }> => event.type === type);
    expect(of("migration").map(({ migration }) => migration.phase)).toEqual([
      "preparing",
      "copying",
      "completed",
    ]);
    expect(of("receipt")).toMatchObject([{ receipt }]);
    expect(of("room").at(-1)?.room).toMatchObject({ roomId, hostId: to, epoch: 2, players: 1 });
    const numbers = events.map(({ seq }) => seq);
    expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
    socket.close();
  });

  it("drops a subscriber that does not read, and nobody else notices", async () => {
    await using world = await World.start(["a"]);
    const slow = listen(world);
    const quick = listen(world);
    await until(() => slow.events.length > 0 && quick.events.length > 0);
    slow.socket.pause();
    const seat = await world.join("create", "arena", {});
    const there = world.agent("a").rooms.get(seat.roomId);
    if (there === undefined) throw new Error("not created");
    for (let i = 0; i < 60_000; i++) {
      world.agent("a").tell(there, { event: "listing", locked: i % 2 === 0 });
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const dropped = async () =>
      /centroid_event_subscribers_dropped_total 1/.test(await (await world.call("GET", "/metrics")).text());
    await until(dropped);
    const seen = quick.events.length;
    world.agent("a").tell(there, { event: "listing", locked: false, maxPlayers: 7 });
    await until(
      () => quick.events.slice(seen).some((event) => event.type === "room" && event.room.maxPlayers === 7),
      20_000,
    );
    quick.socket.close();
    slow.socket.terminate();
  }, 60_000);
});

it("keeps its tokens and its log beside the store", async () => {
  const dir = await mkdtemp(join(tmpdir(), "centroid-broker-"));
  const options = { storeDir: dir, logger: undefined } as never;
  const first = await World.start(["a"], options);
  const { adminToken, agentToken } = first.broker;
  await first.call("POST", "/api/v1/hosts/a/drain", {});
  await first[Symbol.asyncDispose]();
  expect(await readFile(join(dir, "broker.log"), "utf8")).toContain('"audit":true');
  const second = await World.start([], options);
  expect(second.broker).toMatchObject({ adminToken, agentToken });
  await second[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
