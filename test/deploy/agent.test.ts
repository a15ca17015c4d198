/** `centroid agent` against a broker: by flags, by environment, behind mutual TLS with certificates from the script. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REAL_AGENTS, until, World } from "../broker/support/world.js";
import { Cli } from "../support/run-cli.js";

const SCRIPT = join(import.meta.dirname, "../../infra/deploy/make-certificates.sh");
const ROOMS = join(import.meta.dirname, "../fixtures/rooms");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-deploy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const where = ["--host-id", "fra-2", "--lat", "50.11", "--lon", "8.68", "--rooms", ROOMS];
const hosts = (world: World) => world.broker.hosts().map(({ hostId, state }) => `${hostId} ${state}`);

it("joins, takes a room, and leaves in order", async () => {
  await using world = await World.start([], REAL_AGENTS);
  await using cli = await Cli.create();
  const file = join(folder, "agent-token");
  await writeFile(file, `${world.broker.agentToken}\n`);
  const agent = cli.start([
    "agent",
    "--broker",
    world.broker.url,
    "--token-file",
    file,
    "--name",
    "Frankfurt",
    ...where,
  ]);
  await agent.says(/fra-2 has joined; rooms: .*ledger/);
  expect(world.broker.hosts()).toMatchObject([{ hostId: "fra-2", name: "Frankfurt", latitude: 50.11 }]);
  expect((await world.match("create", "ledger")).centroid.host.hostId).toBe("fra-2");
  await agent.kill("SIGTERM");
  expect(await agent.exited).toBe(0);
  expect(agent.left).toBe(false);
});

it("takes everything from the environment, as units and containers give it", async () => {
  await using world = await World.start([], REAL_AGENTS);
  await using cli = await Cli.create();
  const agent = cli.start(["agent", "--json"], {
    CENTROID_BROKERS: world.broker.url,
    CENTROID_AGENT_TOKEN: world.broker.agentToken,
    CENTROID_HOST_ID: "host-1",
    CENTROID_LATITUDE: "1",
    CENTROID_LONGITUDE: "2",
    CENTROID_ROOMS: ROOMS,
  });
  await agent.says(/"hostId": "host-1"/);
  expect(hosts(world)).toEqual(["host-1 active"]);
});

it.each([
  [[], 2, /--broker/],
  [["--broker", "ws://127.0.0.1:1", ...where], 2, /no agent token/],
  [["--broker", "ws://127.0.0.1:1", ...where, "--token-file", "/none"], 2, /--token-file: ENOENT/],
  [["--broker", "ws://127.0.0.1:1", ...where, "--tls-ca", "x"], 2, /needs all of/],
])("says what is missing: %j", async (args, code, words) => {
  await using cli = await Cli.create();
  const ended = await cli.run(["agent", ...args]);
  expect(ended.err).toMatch(words);
  expect(ended.code).toBe(code);
});

it("ends with the broker's word if its token is wrong", async () => {
  await using world = await World.start([], REAL_AGENTS);
  await using cli = await Cli.create();
  const ended = await cli.run(["agent", "--broker", world.broker.url, ...where], {
    CENTROID_AGENT_TOKEN: "a-guess-of-16-chars",
  });
  expect([ended.code, ended.err]).toEqual([4, expect.stringMatching(/UNAUTHORIZED/)]);
  expect(hosts(world)).toEqual([]);
});

describe("mutual TLS", () => {
  const make = (...args: string[]) => spawnSync(SCRIPT, args, { encoding: "utf8" });
  /** A proxy as in front of a broker: only who shows a certificate of the authority gets through. */
  async function front(broker: string, certs: string) {
    const file = (name: string) => readFileSync(join(certs, name));
    const open = new Set<Socket>();
    const server = createServer(
      { cert: file("broker.crt"), key: file("broker.key"), ca: file("ca.crt"), requestCert: true },
      (socket: TLSSocket) => {
        const behind = connect(Number(new URL(broker).port), "127.0.0.1");
        for (const end of [socket, behind]) {
          open.add(end);
          end.on("error", () => undefined).on("close", () => open.delete(end));
        }
        socket.pipe(behind).pipe(socket);
      },
    );
    const refusals: string[] = [];
    server.on("tlsClientError", ({ message }) => refusals.push(message));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `wss://localhost:${(server.address() as { port: number }).port}`,
      refusals,
      async [Symbol.asyncDispose]() {
        for (const socket of open) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  it("lets in an agent with a certificate of the authority, and nobody else", async () => {
    const certs = join(folder, "certs");
    expect(make(certs).status).toBe(0);
    expect(make(certs)).toMatchObject({ status: 1, stderr: expect.stringMatching(/new authority/) });
    expect(make(certs, "broker", "localhost", "127.0.0.1").status).toBe(0);
    expect(make(certs, "agent", "fra-2").status).toBe(0);
    expect(make(certs, "guest", "x").status).toBe(2);
    const verify = ["verify", "-CAfile", join(certs, "ca.crt"), "-purpose"];
    execFileSync("openssl", [...verify, "sslserver", join(certs, "broker.crt")]);
    execFileSync("openssl", [...verify, "sslclient", join(certs, "agent-fra-2.crt")]);
    // An agent's certificate is no broker's.
    expect(spawnSync("openssl", [...verify, "sslserver", join(certs, "agent-fra-2.crt")]).status).not.toBe(0);
    const strangers = join(folder, "strangers");
    make(strangers);
    make(strangers, "agent", "fra-2");

    await using world = await World.start([], REAL_AGENTS);
    await using proxy = await front(world.broker.url, certs);
    await using cli = await Cli.create();
    const env = { CENTROID_AGENT_TOKEN: world.broker.agentToken };
    const tls = (from: string) => [
      ...["--tls-ca", join(certs, "ca.crt")],
      ...["--tls-cert", join(from, "agent-fra-2.crt"), "--tls-key", join(from, "agent-fra-2.key")],
    ];
    const stranger = cli.start(["agent", "--broker", proxy.url, ...where, ...tls(strangers)], env);
    await until(() => proxy.refusals.length > 0);
    expect(hosts(world)).toEqual([]);
    await stranger.kill("SIGTERM");
    const known = cli.start(["agent", "--broker", proxy.url, ...where, ...tls(certs)], env);
    await known.says(/fra-2 has joined/);
    expect(hosts(world)).toEqual(["fra-2 active"]);
    await known.kill("SIGTERM");
  });
});
