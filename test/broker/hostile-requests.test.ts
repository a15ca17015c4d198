/** What strangers send to the broker's port: it ends nobody else's connection and reads nothing that is not theirs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { World } from "./support/world.js";

/** The whole answer to bytes as they are. */
async function raw(world: World, bytes: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: world.broker.port });
  let answer = "";
  socket.on("data", (data) => {
    answer += String(data);
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

const status = (world: World, path: string, headers: Record<string, string> = {}) =>
  new Promise<number | undefined>((resolve, reject) => {
    httpRequest(`${world.broker.url}${path}`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });

const UPGRADE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

describe("an upgrade to what is no URL", () => {
  it.each(["//", "http://[", "//:0", "http://x:99999/", "/%zz"])(
    "%s is refused and nothing else",
    async (target) => {
      await using world = await World.start([]);
      expect(await raw(world, `GET ${target} HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)).toMatch(
        /^HTTP\/1.1 40[04] /,
      );
      expect(await status(world, "/healthz")).toBe(200);
    },
  );
});

describe("reading without a token", () => {
  it.each([
    ["forwarded", "for=192.0.2.1"],
    ["via", "1.1 proxy"],
    ["x-forwarded-for", "192.0.2.1"],
    ["x-forwarded-proto", "https"],
    ["x-real-ip", "192.0.2.1"],
    ["cf-connecting-ip", "192.0.2.1"],
    ["true-client-ip", "192.0.2.1"],
  ])("is not for those whom a proxy asks for (%s)", async (name, value) => {
    await using world = await World.start([]);
    for (const path of ["/api/v1/rooms", "/api/v1/audit", "/metrics"]) {
      expect([path, await status(world, path)]).toEqual([path, 200]);
      expect([path, await status(world, path, { [name]: value })]).toEqual([path, 401]);
      const token = { authorization: `Bearer ${world.broker.viewerToken}` };
      expect([path, await status(world, path, { [name]: value, ...token })]).toEqual([path, 200]);
    }
    expect(
      await raw(world, `GET /events HTTP/1.1\r\nHost: localhost\r\n${name}: ${value}\r\n${UPGRADE}`),
    ).toMatch(/^HTTP\/1.1 401 /);
  });

  it("is not for a proxy that only gives itself away by speaking HTTP/1.0", async () => {
    await using world = await World.start([]);
    expect(await raw(world, "GET /api/v1/rooms HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")).toMatch(
      /^HTTP\/1.1 401 /,
    );
  });

  it.each([{ requireReadToken: true }, { bindHost: "0.0.0.0" }])("is switched off by %j", async (options) => {
    await using world = await World.start([], options);
    expect(await status(world, "/api/v1/rooms")).toBe(401);
    expect(
      await status(world, "/api/v1/rooms", { authorization: `Bearer ${world.broker.viewerToken}` }),
    ).toBe(200);
    expect(await status(world, "/healthz")).toBe(200);
  });
});

it("lets pages of elsewhere ask for what players call, and for nothing else", async () => {
  await using world = await World.start([]);
  const ask = (path: string) =>
    fetch(`${world.broker.url}${path}`, {
      method: "OPTIONS",
      headers: {
        origin: "https://game.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    });
  for (const path of ["/matchmake/create/arena", "/centroid/v1/probes"]) {
    const response = await ask(path);
    expect([path, response.ok, response.headers.get("access-control-allow-origin")]).toEqual([
      path,
      true,
      "https://game.example",
    ]);
    expect(response.headers.get("access-control-allow-headers")).toBe("content-type");
  }
  for (const path of ["/api/v1/rooms", "/api/v1/hosts/a/drain", "/metrics", "/openapi.json", "/"])
    expect([path, (await ask(path)).ok]).toEqual([path, false]);
});

describe("what nobody uses", () => {
  const limits = {
    perAddress: { untakenSeats: 4, emptyRooms: 2 },
    perPlayer: { untakenSeats: 100, emptyRooms: 100 },
  };
  const refused = (world: World, method: string, target: string) =>
    world
      .call("POST", `/matchmake/${method}/${target}`, {}, "")
      .then(async (response) => [
        response.status,
        response.headers.get("retry-after"),
        ((await response.json()) as { reason?: string }).reason,
      ]);

  it("is limited per address: rooms nobody is in, seats nobody has taken", async () => {
    await using world = await World.start(["a"], { limits });
    const first = await world.match("create", "arena");
    await world.match("create", "arena");
    expect(await refused(world, "create", "arena")).toEqual([429, "5", "RATE_LIMITED"]);
    await world.match("joinById", first.roomId);
    await world.match("joinById", first.roomId);
    expect(await refused(world, "joinById", first.roomId)).toEqual([429, "5", "RATE_LIMITED"]);
    // Whoever comes in gives their share back.
    world.agent("a").join(first.roomId, first.sessionId);
    await expect.poll(() => refused(world, "joinById", first.roomId)).toEqual([200, null, undefined]);
  });

  it("is limited per player", async () => {
    await using world = await World.start(["a"], {
      limits: { perPlayer: { untakenSeats: 2, emptyRooms: 1 } },
    });
    const { centroid } = await world.match("create", "arena");
    const { playerId, playerToken } = centroid;
    const options = { "~centroid": { protocol: 1, playerId, playerToken, probes: [] } };
    await expect(world.match("create", "arena", options)).rejects.toMatchObject({ status: 429 });
    await world.match("create", "arena");
  });
});

it("lets nobody frame the dashboard or run anything of elsewhere in it, and leaves game pages their policy", async () => {
  const dir = await mkdtemp(join(tmpdir(), "centroid-pages-"));
  const [dashboardDir, pagesDir] = [join(dir, "dashboard"), join(dir, "pages")];
  await mkdir(join(pagesDir, "game"), { recursive: true });
  await mkdir(dashboardDir);
  for (const page of [dashboardDir, join(pagesDir, "game")])
    await writeFile(join(page, "index.html"), "<title>x</title>");
  await using world = await World.start([], { dashboardDir, pagesDir });
  for (const path of ["/", "/index.html", "/api/v1/rooms", "/nothing"]) {
    const { headers } = await fetch(`${world.broker.url}${path}`);
    expect([path, headers.get("content-security-policy")]).toEqual([
      path,
      expect.stringMatching(/default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/),
    ]);
    expect([headers.get("x-frame-options"), headers.get("referrer-policy")]).toEqual(["DENY", "no-referrer"]);
  }
  const { headers } = await fetch(`${world.broker.url}/game/`);
  expect([headers.get("content-security-policy"), headers.get("x-content-type-options")]).toEqual([
    null,
    "nosniff",
  ]);
  await rm(dir, { recursive: true });
});

// What else runs on the machine shows in a p99 as well.
it("serves another address while one asks at full speed: p99 of joining grows by 250 ms at most", {
  retry: 2,
}, async () => {
  await using world = await World.start(["a"], { limits: {} });
  const { roomId } = await world.match("create", "arena");
  const joins = async (): Promise<number> => {
    const tookMs: number[] = [];
    for (let i = 0; i < 100; i++) {
      const startedAtMs = performance.now();
      expect(await joinFrom(world, "127.0.0.2", roomId)).toBe(200);
      tookMs.push(performance.now() - startedAtMs);
    }
    return tookMs.sort((a, b) => a - b)[98] ?? Number.POSITIVE_INFINITY;
  };
  const quietMs = await joins();
  const attacker = spawn(process.execPath, ["--input-type=module", "-e", ATTACK, world.broker.url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const over = once(attacker, "exit");
  try {
    // It says so once it is being refused: its burst is spent.
    await once(attacker.stdout, "data");
    expect((await joins()) - quietMs).toBeLessThanOrEqual(250);
    expect(world.agent("a").requests.length).toBeLessThan(1_500);
  } finally {
    attacker.kill("SIGKILL");
    await over;
  }
});

/** 64 connections, each with the next request as soon as the last is answered. */
const ATTACK = `
  import { Agent, request } from "node:http";
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let told = false;
  const again = () => {
    const asked = request(process.argv[1] + "/matchmake/create/arena",
      { method: "POST", agent, headers: { "content-type": "application/json" } }, (response) => {
        response.resume();
        if (response.statusCode === 429 && !told) told = console.log("refused") ?? true;
        response.on("end", again);
      });
    asked.on("error", again);
    asked.end("{}");
  };
  for (let i = 0; i < 64; i++) again();
`;

const joinFrom = (world: World, localAddress: string, roomId: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const url = `${world.broker.url}/matchmake/joinById/${roomId}`;
    httpRequest(url, { method: "POST", localAddress, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    })
      .on("error", reject)
      .end("{}");
  });

it("does not wait for who sends slowly", async () => {
  await using world = await World.start([]);
  const begun = [
    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "POST /matchmake/create/arena HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  ];
  await Promise.all(begun.map((bytes) => raw(world, bytes)));
});
