/** nginx and Caddy with the files of infra/deploy in front of a broker: who may read, who asks, and all WebSockets. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SeatReservation } from "@centroid/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { until, World } from "../broker/support/world.js";
import { selfSigned } from "../support/tls-front.js";

const FILES = join(import.meta.dirname, "../../infra/deploy/proxy");
const installed = (program: string): boolean =>
  spawnSync(program, ["version"], { stdio: "ignore" }).error === undefined;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface Proxy {
  /** `https://127.0.0.1:port` */
  url: string;
  child: ChildProcess;
}

async function startNginx(folder: string, brokerPort: number): Promise<Proxy> {
  const port = await freePort();
  const { keyFile, certFile } = selfSigned(folder, "broker.example");
  const own = (await readFile(join(FILES, "nginx.conf"), "utf8"))
    .replace("127.0.0.1:2567", `127.0.0.1:${brokerPort}`)
    .replace("listen 443 ssl", `listen 127.0.0.1:${port} ssl`)
    .replace("/etc/centroid/broker.crt", certFile)
    .replace("/etc/centroid/broker.key", keyFile)
    .replace("/var/log/nginx/centroid.log", join(folder, "access.log"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join("\n");
  const config = join(folder, "nginx.conf");
  await writeFile(
    config,
    `daemon off; master_process off; pid ${join(folder, "pid")}; error_log ${join(folder, "error.log")};
     events {} http { ${temporary}\n${own} }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", config], { stdio: "inherit" });
  return { url: `https://127.0.0.1:${port}`, child };
}

async function startCaddy(folder: string, brokerPort: number): Promise<Proxy> {
  const port = await freePort();
  const { keyFile, certFile } = selfSigned(folder, "broker.example");
  const own = (await readFile(join(FILES, "Caddyfile"), "utf8"))
    .replace("broker.example {", `https://:${port} {\n\ttls ${certFile} ${keyFile}`)
    .replace("127.0.0.1:2567", `127.0.0.1:${brokerPort}`);
  const config = join(folder, "Caddyfile");
  await writeFile(config, `{\n\tadmin off\n\tauto_https off\n}\n${own}`);
  const child = spawn("caddy", ["run", "--adapter", "caddyfile", "--config", config], {
    stdio: ["ignore", "ignore", "ignore"],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  return { url: `https://127.0.0.1:${port}`, child };
}

describe.each([
  { name: "nginx", program: "nginx", start: startNginx },
  { name: "Caddy", program: "caddy", start: startCaddy },
])("$name", ({ name, program, start }) => {
  const skip = installed(program) ? false : `${program} is not installed`;
  let world: World;
  let proxy: Proxy;
  let folder: string;
  /** Stands for a room host: says who it was told is there, then echoes. */
  let rooms: WebSocketServer;
  beforeAll(async () => {
    if (skip !== false) return;
    folder = await mkdtemp(join(tmpdir(), "centroid-proxy-"));
    // Reading stays open to programs of this machine: the proxy is one, and those it asks for are not.
    rooms = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    rooms.on("connection", (socket, { headers }) => {
      socket.on("message", (data) => socket.send(`${headers["x-forwarded-for"]} ${data}`));
    });
    await once(rooms, "listening");
    const address = `127.0.0.1:${(rooms.address() as AddressInfo).port}`;
    world = await World.start(["a"], {
      addressBook: { translate: () => address },
      trustProxy: ["127.0.0.1"],
      limits: { requests: { perSecond: 0.001, burst: 10 } },
    });
    proxy = await start(folder, world.broker.port);
    await until(
      () =>
        get("/healthz").then(
          ({ status }) => status === 200,
          () => false,
        ),
      20_000,
    );
  });
  afterAll(async () => {
    if (skip !== false) return;
    const ended = once(proxy.child, "exit");
    proxy.child.kill("SIGTERM");
    await ended;
    await world[Symbol.asyncDispose]();
    rooms.close();
    await rm(folder, { recursive: true });
  });

  const get = (path: string, headers: Record<string, string> = {}, localAddress = "127.0.0.1") =>
    new Promise<{ status: number | undefined }>((resolve, reject) => {
      httpsRequest(
        `${proxy.url}${path}`,
        { headers, localAddress, rejectUnauthorized: false, servername: "" },
        (response) => {
          response.resume();
          response.on("end", () => resolve({ status: response.statusCode }));
        },
      )
        .on("error", reject)
        .end();
    });
  const open = (protocols: string[]) =>
    new Promise<boolean>((resolve) => {
      const url = `${proxy.url.replace("http", "ws")}/events`;
      const socket = new WebSocket(url, protocols, { rejectUnauthorized: false });
      socket.on("message", () => {
        resolve(true);
        socket.close();
      });
      socket.on("error", () => resolve(false));
    });

  it.skipIf(skip !== false)(
    `lets nobody read without a token${skip === false ? "" : ` (skipped: ${skip})`}`,
    async () => {
      const token = { authorization: `Bearer ${world.broker.viewerToken}` };
      expect((await get("/api/v1/rooms")).status).toBe(401);
      expect((await get("/api/v1/rooms", { "x-forwarded-for": "127.0.0.1", host: "localhost" })).status).toBe(
        401,
      );
      expect((await get("/api/v1/rooms", token)).status).toBe(200);
      expect((await get("/metrics", token)).status).toBe(404);
      const coded = Buffer.from(world.broker.viewerToken).toString("base64url");
      expect(await open(["centroid.events"])).toBe(false);
      expect(await open(["centroid.events", `centroid.token.${coded}`])).toBe(true);
      if (name === "nginx") expect(await readFile(join(folder, "access.log"), "utf8")).not.toContain(coded);
    },
  );

  it.skipIf(skip !== false)("carries a player's sockets to its room and to a beacon, over TLS", async () => {
    const seat = await new Promise<SeatReservation>((resolve, reject) => {
      const how = { method: "POST", localAddress: "127.0.0.4", rejectUnauthorized: false };
      httpsRequest(`${proxy.url}/matchmake/joinOrCreate/arena`, how, async (response) => {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()));
      })
        .on("error", reject)
        .end();
    });
    // No address of its own: the proxy's is the only one that players need.
    expect([seat.publicAddress, seat.centroid.way]).toEqual([undefined, "gateway"]);
    const room = `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}`;
    for (const path of [room, "/centroid/v1/beacon/a"]) {
      const socket = new WebSocket(`${proxy.url.replace("http", "ws")}${path}`, {
        rejectUnauthorized: false,
        localAddress: "127.0.0.4",
        headers: { "x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.8" },
      });
      await once(socket, "open");
      socket.send("hello");
      expect(String((await once(socket, "message"))[0])).toBe("127.0.0.4 hello");
      socket.close();
    }
  });

  it.skipIf(skip !== false)("counts each caller for itself, whatever it says of itself", async () => {
    const ask = (from: string, headers = {}) => get("/centroid/v1/beacons", headers, from);
    for (let i = 0; i < 10; i++) await ask("127.0.0.2");
    expect((await ask("127.0.0.2")).status).toBe(429);
    expect(
      (await ask("127.0.0.2", { "x-forwarded-for": "192.0.2.7", forwarded: "for=192.0.2.7" })).status,
    ).toBe(429);
    expect((await ask("127.0.0.3")).status).toBe(200);
  });
});
