/** nginx and Caddy with the files of infra/deploy in front of a broker: who may read, who asks, and WebSockets. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { until, World } from "../broker/support/world.js";

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
  /** `http(s)://127.0.0.1:port` */
  url: string;
  child: ChildProcess;
}

async function startNginx(folder: string, brokerPort: number): Promise<Proxy> {
  const port = await freePort();
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=broker.example", "-days", "1", "-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...subject], { stdio: "ignore" });
  const own = (await readFile(join(FILES, "nginx.conf"), "utf8"))
    .replace("127.0.0.1:2567", `127.0.0.1:${brokerPort}`)
    .replace("listen 443 ssl", `listen 127.0.0.1:${port} ssl`)
    .replace("/etc/centroid/broker.crt", certificate)
    .replace("/etc/centroid/broker.key", key)
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
  const own = (await readFile(join(FILES, "Caddyfile"), "utf8"))
    .replace("broker.example {", `http://:${port} {`)
    .replace("127.0.0.1:2567", `127.0.0.1:${brokerPort}`);
  const config = join(folder, "Caddyfile");
  await writeFile(config, `{\n\tadmin off\n}\n${own}`);
  const child = spawn("caddy", ["run", "--adapter", "caddyfile", "--config", config], {
    stdio: ["ignore", "ignore", "ignore"],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  return { url: `http://127.0.0.1:${port}`, child };
}

describe.each([
  { name: "nginx", program: "nginx", start: startNginx },
  { name: "Caddy", program: "caddy", start: startCaddy },
])("$name", ({ name, program, start }) => {
  const skip = installed(program) ? false : `${program} is not installed`;
  let world: World;
  let proxy: Proxy;
  let folder: string;
  beforeAll(async () => {
    if (skip !== false) return;
    folder = await mkdtemp(join(tmpdir(), "centroid-proxy-"));
    // Reading stays open to programs of this machine: the proxy is one, and those it asks for are not.
    world = await World.start(["a"], {
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
    await rm(folder, { recursive: true });
  });

  const get = (path: string, headers: Record<string, string> = {}, localAddress = "127.0.0.1") =>
    new Promise<{ status: number | undefined }>((resolve, reject) => {
      const request = proxy.url.startsWith("https") ? httpsRequest : httpRequest;
      request(`${proxy.url}${path}`, { headers, localAddress, rejectUnauthorized: false }, (response) => {
        response.resume();
        response.on("end", () => resolve({ status: response.statusCode }));
      })
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
