/** What operators may do and what is on record of it: roles, lock, test messages, what-if, audit log. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEntry } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { until, World } from "./support/world.js";

const audit = (world: World, query = "") => world.get<AuditEntry[]>(`/api/v1/audit${query}`);

describe("roles", () => {
  /** Every route that is an order, from the API's own description. */
  const orders = async (world: World): Promise<string[]> => {
    const { paths } = await world.get<{ paths: Record<string, object> }>("/openapi.json");
    return Object.entries(paths).flatMap(([path, methods]) =>
      "post" in methods && path.startsWith("/api/v1") && path !== "/api/v1/whatif" ? [path] : [],
    );
  };

  it("refuses every order to a viewer, with nothing done and the attempt on record", async () => {
    await using world = await World.start(["a"]);
    const { roomId, sessionId } = await world.join("create", "arena");
    const asked = world.agent("a").requests.length;
    const paths = await orders(world);
    expect(paths).toHaveLength(9);
    for (const path of paths) {
      const real = path
        .replace("{roomId}", roomId)
        .replace("{hostId}", "a")
        .replace("{sessionId}", sessionId);
      const response = await world.call("POST", real, {}, world.broker.viewerToken);
      expect([real, response.status, await response.json()]).toMatchObject([
        real,
        403,
        { error: { code: "FORBIDDEN" } },
      ]);
    }
    expect(world.agent("a").requests).toHaveLength(asked);
    expect(world.broker.hosts()[0]?.state).toBe("active");
    const entries = await audit(world);
    expect(entries).toHaveLength(paths.length);
    for (const entry of entries)
      expect(entry).toMatchObject({ outcome: "refused", code: "FORBIDDEN", who: { role: "viewer" } });
  });

  it("lets a viewer read from anywhere, and says who is who", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    const { request } = await import("node:http");
    /** As from another machine: not under a loopback name. */
    const get = (path: string, token?: string) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const headers = { host: "broker.example", ...(token && { authorization: `Bearer ${token}` }) };
        request(`${world.broker.url}${path}`, { headers }, async (response) => {
          let body = "";
          for await (const chunk of response) body += String(chunk);
          resolve({ status: response.statusCode, body });
        })
          .on("error", reject)
          .end();
      });
    const { viewerToken, adminToken, agentToken } = world.broker;
    for (const path of ["rooms", `rooms/${roomId}/state`, "hosts", "receipts", "audit", "status"]) {
      expect([path, (await get(`/api/v1/${path}`, viewerToken)).status]).toEqual([path, 200]);
      expect([path, (await get(`/api/v1/${path}`)).status]).toEqual([path, 401]);
      expect([path, (await get(`/api/v1/${path}`, agentToken)).status]).toEqual([path, 401]);
    }
    expect((await get("/metrics", viewerToken)).status).toBe(200);
    expect(JSON.parse((await get("/api/v1/whoami", viewerToken)).body)).toEqual({ role: "viewer" });
    expect(JSON.parse((await get("/api/v1/whoami", adminToken)).body)).toEqual({ role: "admin" });
    expect((await world.call("GET", "/api/v1/whoami", undefined, "guess")).status).toBe(401);
    expect(await (await world.call("GET", "/api/v1/whoami", undefined, "")).json()).toEqual({
      role: "viewer",
    });

    const events = (token: string) =>
      new Promise<boolean>((resolve) => {
        const url = `${world.broker.url.replace("http", "ws")}/events`;
        const offered = ["centroid.events", `centroid.token.${Buffer.from(token).toString("base64url")}`];
        const socket = new WebSocket(url, offered, { headers: { host: "broker.example" } });
        socket.on("open", () => expect(socket.protocol).toBe("centroid.events"));
        socket.on("open", () => resolve(true)).on("error", () => resolve(false));
      });
    expect(await events(viewerToken)).toBe(true);
    expect(await events("guess")).toBe(false);
  });
});

describe("orders about a room", () => {
  it("locks it for newcomers and opens it again", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    const order = (what: string) => world.call("POST", `/api/v1/rooms/${roomId}/${what}`, {});
    const locked = async () => (await world.get<{ locked: boolean }>(`/api/v1/rooms/${roomId}`)).locked;
    expect(await (await order("lock")).json()).toEqual({ locked: true });
    await until(locked);
    await expect(world.match("joinById", roomId)).rejects.toMatchObject({ body: { reason: "ROOM_LOCKED" } });
    expect(await (await order("unlock")).json()).toEqual({ locked: false });
    await until(async () => !(await locked()));
    await world.join("joinById", roomId);
  });

  it("lets a player in by id whose room was unlocked a moment ago, which nobody has told yet", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    await world.call("POST", `/api/v1/rooms/${roomId}/lock`, {});
    await until(async () => (await world.get<{ locked: boolean }>(`/api/v1/rooms/${roomId}`)).locked);
    const room = world.agent("a").rooms.get(roomId);
    if (room === undefined) throw new Error("not created");
    room.locked = false;
    await world.join("joinById", roomId);
  });

  it("passes test messages on as they are, and only such as a room can take", async () => {
    await using world = await World.start(["a"]);
    const { roomId, sessionId } = await world.join("create", "arena");
    const send = (body: unknown) => world.call("POST", `/api/v1/rooms/${roomId}/message`, body);
    const message = {
      to: { kind: "room", fromSessionId: sessionId },
      type: "walk",
      payload: { dx: 1, tags: ["x"] },
    };
    expect(await (await send(message)).json()).toEqual({ receivers: 1 });
    expect(world.agent("a").requests.at(-1)).toEqual({ method: "message", roomId, message });
    for (const bad of [
      {},
      { to: { kind: "everyone" }, type: "" },
      { to: { kind: "everyone" }, type: {} },
      { to: { kind: "player" }, type: "x" },
      { to: { kind: "nobody" }, type: "x" },
    ])
      expect([bad, (await send(bad)).status]).toEqual([bad, 400]);
    expect((await send({ ...message, payload: "y".repeat(70_000) })).status).toBe(413);
  });
});

describe("what if", () => {
  it("puts one of the room's players elsewhere instead of adding one", async () => {
    await using world = await World.start([]);
    await world.host("paris", { latitude: 48.9, longitude: 2.4 });
    await world.host("tokyo", { latitude: 35.7, longitude: 139.7 });
    const hints = { protocol: 1, location: { latitude: 48.9, longitude: 2.4 }, probes: [] };
    const { roomId, centroid } = await world.join("create", "arena", { "~centroid": hints });
    const ask = async (playerId?: string) =>
      world.call("POST", "/api/v1/whatif", {
        roomId,
        location: { latitude: 35.7, longitude: 139.7 },
        ...(playerId && { playerId }),
      });
    // Alone in Tokyo the room would go there; one there and one in Paris keep it.
    expect(await (await ask(centroid.playerId)).json()).toMatchObject({ verdict: "move", toHostId: "tokyo" });
    expect(await (await ask()).json()).toMatchObject({ verdict: "stay", fromHostId: "paris" });
    expect((await ask("stranger")).status).toBe(404);
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ hostId: "paris", players: 1 });
    expect(await audit(world)).toEqual([]);
  });
});

describe("the audit log", () => {
  it("has who, what, when and what became of it before the caller has the answer", async () => {
    await using world = await World.start(["a", "b"]);
    const { roomId, sessionId, centroid } = await world.join("create", "arena");
    await until(() => world.broker.hosts().some(({ players }) => players === 1));
    const to = centroid.host.hostId === "a" ? "b" : "a";
    const startedAtMs = Date.now();
    await world.move(roomId, to);
    await fetch(`${world.broker.url}/api/v1/rooms/${roomId}/sessions/${sessionId}/kick`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${world.broker.adminToken}`,
        "content-type": "application/json",
        "centroid-operator": encodeURIComponent("Zoë"),
      },
      body: "{}",
    });
    await world.call("POST", `/api/v1/hosts/${to}/drain`, {});
    await world.call("POST", `/api/v1/hosts/none/drain`, {});
    await world.call("POST", `/api/v1/rooms/${roomId}/move`, { hostId: "a" }, "wrong-token");
    const by = { role: "admin", address: "127.0.0.1" };
    const common = { atMs: expect.any(Number), tookMs: expect.any(Number), auditId: expect.any(String) };
    const { brokerId } = world.broker;
    const entries = await audit(world);
    expect(entries).toEqual([
      {
        ...common,
        brokerId,
        who: { role: "none", address: "127.0.0.1" },
        action: "move",
        roomId,
        outcome: "refused",
        code: "UNAUTHORIZED",
        message: "wrong token",
      },
      {
        ...common,
        brokerId,
        who: by,
        action: "drain",
        hostId: "none",
        outcome: "failed",
        code: "HOST_NOT_FOUND",
        message: expect.any(String),
      },
      { ...common, brokerId, who: by, action: "drain", hostId: to, outcome: "done" },
      {
        ...common,
        brokerId,
        who: { ...by, name: "Zoë" },
        action: "kick",
        roomId,
        sessionId,
        outcome: "done",
      },
      { ...common, brokerId, who: by, action: "move", roomId, details: { hostId: to }, outcome: "done" },
    ]);
    const times = entries.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((x, y) => y - x));
    expect(times.at(-1)).toBeGreaterThanOrEqual(startedAtMs);
    expect(await audit(world, `?limit=1&beforeMs=${times[0]}`)).toEqual([
      entries.find(({ atMs }) => atMs < times[0]!),
    ]);
    expect(JSON.stringify(entries)).not.toContain(world.broker.adminToken);
  });

  it("outlives the broker, and strangers cannot fill it", async () => {
    const storeDir = await mkdtemp(join(tmpdir(), "centroid-audit-"));
    await using world = await World.start(["a"], { storeDir });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    for (let i = 0; i < 30; i++) await world.call("POST", "/api/v1/hosts/a/activate", {}, `guess-${i}`);
    await world.restart();
    const entries = await audit(world);
    expect(entries.length).toBeLessThanOrEqual(12);
    expect(entries.filter(({ who }) => who.role === "none").length).toBeGreaterThanOrEqual(5);
    expect(entries.at(-1)).toMatchObject({ action: "drain", hostId: "a", outcome: "done" });
    await world[Symbol.asyncDispose]();
    await rm(storeDir, { recursive: true });
  });
});
