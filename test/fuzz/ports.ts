/** Every port that a deployment listens on, each in a process as users have it, and how one asks whether it lives. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startAgent } from "@centroid/agent";
import { startDistanceEmulator } from "@centroid/emulation";
import { bundleRooms } from "@centroid/room-host/bundling";
import { WebSocket } from "ws";

export interface Port {
  readonly name: string;
  readonly port: number;
  /** Paths at which something is. */
  readonly paths: readonly string[];
  /** Its process answers as it did at first. */
  readonly alive: () => Promise<boolean>;
  /** A connection of somebody who belongs there: the path, or undefined where nobody has to prove anything. */
  readonly seat?: () => Promise<string>;
}

export interface Ports extends AsyncDisposable {
  readonly ports: readonly Port[];
  /** Errors that broker and gateway did not expect and survived. */
  readonly surprises: () => readonly string[];
}

const ROOT = join(import.meta.dirname, "../..");
const FREE = { maxFramesPerSecond: 0, maxBytesPerSecond: 0 };
/** A broker in a process of its own: its end must be seen, not suffered. */
const BROKER = `
  import { startBroker } from "@centroid/broker";
  const broker = await startBroker({ port: 0, autoMove: false, limits: false,
    dashboardDir: ${JSON.stringify(join(ROOT, "client/dashboard/dist"))} });
  const { url, agentToken, adminToken, gatewayToken } = broker;
  console.log(JSON.stringify({ url, agentToken, adminToken, gatewayToken }));
`;
/** The same of a gateway to that broker. */
const gatewayOf = (brokerUrl: string, token: string): string => `
  import { startGateway } from "@centroid/gateway";
  const gateway = await startGateway({ gatewayId: "fuzzed", brokerUrls: [${JSON.stringify(brokerUrl)}],
    token: ${JSON.stringify(token)}, bindHost: "127.0.0.1", port: 0, notice: () => undefined });
  await gateway.ready;
  console.log(JSON.stringify({ port: gateway.port }));
`;
/** Keeps uWebSockets.js from loading, as on a machine for which there is no binary. */
const WITHOUT_UWS = `--import=data:text/javascript,${encodeURIComponent(
  `import { register } from "node:module";
   register("data:text/javascript," + encodeURIComponent(
     'export async function resolve(s, c, n) { if (s === "uWebSockets.js") throw new Error("kept out"); return n(s, c); }'));`,
)}`;

/** Broker, gateway, two agents with a room each, one of them on ws, and the relay. */
export async function openPorts(): Promise<Ports> {
  const owned: (() => Promise<unknown>)[] = [];
  const dispose = async (): Promise<void> => {
    for (const end of owned.reverse()) await end();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "centroid-ports-"));
    owned.push(() => rm(folder, { recursive: true, force: true }));
    const broker = await startBrokerProcess(owned);
    const { path: roomsBundle } = await bundleRooms(join(ROOT, "test/fixtures/rooms"), folder);
    for (const hostId of ["uws", "ws"]) {
      const before = process.env.NODE_OPTIONS;
      if (hostId === "ws") process.env.NODE_OPTIONS = WITHOUT_UWS;
      try {
        const agent = await startAgent({
          brokerUrls: [broker.url.replace("http", "ws")],
          token: broker.agentToken,
          hostId,
          name: hostId,
          latitude: 0,
          longitude: 0,
          roomsBundle,
          ...FREE,
        });
        owned.push(async () => agent[Symbol.asyncDispose]());
      } finally {
        if (before === undefined) delete process.env.NODE_OPTIONS;
        else process.env.NODE_OPTIONS = before;
      }
    }
    const relay = await startDistanceEmulator({
      rttMs: { here: { here: 0 } },
      defaultSiteId: "here",
      hosts: [{ hostId: "uws", siteId: "here" }],
    });
    owned.push(async () => relay[Symbol.asyncDispose]());
    const answers =
      (url: string, status: number): Port["alive"] =>
      () =>
        fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
          async (response) => {
            await response.arrayBuffer();
            return response.status === status;
          },
          () => false,
        );
    const ports: Port[] = [
      {
        name: "broker",
        port: Number(new URL(broker.url).port),
        paths: [
          "/",
          "/agent",
          "/gateway",
          "/events",
          "/healthz",
          "/api/v1/rooms",
          "/matchmake/create/ledger",
          "/docs",
        ],
        alive: answers(`${broker.url}/healthz`, 200),
      },
      {
        name: "relay",
        port: relay.port,
        paths: ["/control", "/control/labels", "/via/a/uws/1/x", "/via/a/nobody/99999/"],
        alive: answers(relay.controlUrl, 200),
      },
    ];
    const gatewayPaths: string[] = [];
    let carried: Port["seat"];
    for (const { hostId, beaconUrl } of await broker.get<{ hostId: string; beaconUrl: string }[]>("hosts")) {
      const beacon = new URL(beaconUrl.replace("ws", "http"));
      ports.push({
        name: `beacon on ${hostId}`,
        port: Number(beacon.port),
        paths: ["/beacon"],
        alive: answers(beacon.href, 426),
        seat: async () => "/beacon",
      });
      const room = await broker.roomAt(hostId);
      const [address = "", processId = ""] = [room.publicAddress, room.processId];
      ports.push({
        name: `room host on ${hostId}`,
        port: Number(address.split(":")[1]),
        paths: [
          `/${processId}/${room.roomId}?sessionId=x`,
          "/handoff/m?ticket=t",
          "/standby/s?ticket=t",
          "/trunk",
        ],
        alive: answers(`http://${address}/`, 426),
        seat: async () => seatPath(broker, room),
      });
      gatewayPaths.push(`/${processId}/${room.roomId}?sessionId=x`, `/centroid/v1/beacon/${hostId}`);
      carried ??= () => seatPath(broker, room);
    }
    const gateway = await startProcess(owned, gatewayOf(broker.url, broker.gatewayToken));
    ports.push({
      name: "gateway",
      port: gateway.said.port as number,
      paths: [...gatewayPaths, "/centroid/v1/beacon/", "/agent", "/gateway", "//x/y", "/healthz"],
      alive: answers(`http://127.0.0.1:${gateway.said.port}/healthz`, 200),
      ...(carried !== undefined && { seat: carried }),
    });
    const surprises = (): string[] => [...broker.surprises, ...gateway.surprises];
    return { ports, surprises, [Symbol.asyncDispose]: dispose };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

/** Where a player who has just got a seat in that room connects. */
async function seatPath(
  broker: Awaited<ReturnType<typeof startBrokerProcess>>,
  { roomId, processId }: Seat,
): Promise<string> {
  const { sessionId } = await broker.match("joinById", roomId);
  return `/${processId}/${roomId}?sessionId=${sessionId}&centroid=1`;
}

interface Seat {
  roomId: string;
  sessionId: string;
  processId: string;
  publicAddress: string;
}

/** @returns what it says of itself once it listens */
async function startProcess(owned: (() => Promise<unknown>)[], program: string) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const surprises: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (/(Type|Range|Syntax|Reference|URI)Error/.test(line)) surprises.push(line);
  });
  owned.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { surprises, said: JSON.parse(line.toString()) as Record<string, unknown> };
}

async function startBrokerProcess(owned: (() => Promise<unknown>)[]) {
  const { surprises, said } = await startProcess(owned, BROKER);
  const { url, agentToken, adminToken, gatewayToken } = said as Record<string, string>;
  const call = async (method: string, path: string): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      ...(method === "POST" && { body: "{}" }),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  };
  const match = (method: string, target: string) =>
    call("POST", `/matchmake/${method}/${target}`) as Promise<Seat>;
  return {
    surprises,
    url: url as string,
    agentToken: agentToken as string,
    gatewayToken: gatewayToken as string,
    get: <T>(path: string) => call("GET", `/api/v1/${path}`) as Promise<T>,
    match,
    /** A room there: the other host takes none meanwhile. */
    async roomAt(hostId: string): Promise<Seat> {
      const other = hostId === "ws" ? "uws" : "ws";
      await call("POST", `/api/v1/hosts/${other}/drain`);
      // A room host that takes long to load is no news on a busy machine.
      const seat = await match("create", "ledger").catch(() => match("create", "ledger"));
      await call("POST", `/api/v1/hosts/${other}/activate`);
      const socket = new WebSocket(
        `ws://${seat.publicAddress}/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}`,
      );
      await once(socket, "open");
      owned.push(async () => socket.close());
      return seat;
    },
  };
}
