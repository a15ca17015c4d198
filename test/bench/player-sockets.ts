/**
 * CPU that players' sockets alone cost who passes their frames on: on Node's sockets, as a gateway has them, on
 * uWebSockets.js, and in a program that only copies bytes, in turns in one run. What a gateway has to beat, and cannot.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DisposalStack } from "@centroid/protocol/node";
import { uwsProblem } from "@centroid/room-host/sockets";
import { cpuMsOf } from "../support/processes.js";
import type { Row } from "./row.js";

const FORWARDER = join(import.meta.dirname, "player-sockets-forwarder.ts");
const LEAST = join(import.meta.dirname, "least-forwarder.c");
const LOADS = [
  { players: 20, perSecond: 100 },
  { players: 100, perSecond: 20 },
  { players: 100, perSecond: 100 },
];
const PATCHES_PER_S = 20;
const PATCH_BYTES = 70;
const SLICE_MS = 2_000;
/** Not counted: the programs are compiled as they run. */
const WARM_SLICES = 3;
const SLICES = 5;
const COME_MS = 30_000;

/** A binary message of 14 bytes, masked by zeros. */
const SAID_BYTES = 14;
const SAID = Buffer.from([0x82, 0x80 | SAID_BYTES, 0, 0, 0, 0, ...Array(SAID_BYTES).fill(7)]);
const HANDSHAKE = [
  "GET /process/room HTTP/1.1\r\nhost: gateway\r\nupgrade: websocket\r\nconnection: Upgrade\r\n",
  "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
].join("");

interface Program {
  figure: string;
  command: readonly string[];
  /** It takes WebSockets, and passes on what is in their frames. */
  isWebSocket: boolean;
}

interface Forwarder extends Program {
  pid: number;
  trunk: Socket;
  players: readonly Socket[];
  cameBytes: number;
  sent: number;
  cpuMs: number;
}

export async function playerSockets(): Promise<Row[]> {
  await using owned = new DisposalStack();
  const programs = await programsHere(owned);
  const rows: Row[] = [];
  for (const { players, perSecond } of LOADS) {
    await using running = new DisposalStack();
    const trunks = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(trunks, "listening");
    running.defer(() => void trunks.close());
    const forwarders: Forwarder[] = [];
    for (const program of programs) forwarders.push(await start(program, players, trunks, running));
    for (let slice = -WARM_SLICES; slice < SLICES; slice++)
      for (const forwarder of forwarders) await play(forwarder, perSecond, slice >= 0);
    for (const { figure, cpuMs, sent } of forwarders)
      rows.push({
        group: `players' sockets, ${players} players, ${perSecond} messages a second each`,
        figure: `CPU per message, ${figure}`,
        value: (cpuMs / sent) * 1e3,
        unit: "µs",
      });
  }
  return rows;
}

/** Those that this machine can run: a binary of uWebSockets.js, and a C compiler, may be missing. */
async function programsHere(owned: DisposalStack): Promise<Program[]> {
  const ours = (kind: string): readonly string[] => [process.execPath, ...process.execArgv, FORWARDER, kind];
  const programs: Program[] = [{ figure: "Node's sockets", command: ours("node"), isWebSocket: true }];
  if ((await uwsProblem()) === undefined)
    programs.push({ figure: "uWebSockets.js", command: ours("uws"), isWebSocket: true });
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const least = join(folder, "least-forwarder");
  try {
    execFileSync("cc", ["-O2", "-o", least, LEAST], { stdio: "ignore" });
    programs.push({ figure: "bytes copied in C", command: [least], isWebSocket: false });
  } catch {
    // No compiler: that row is left out.
  }
  return programs;
}

async function start(
  program: Program,
  players: number,
  trunks: Server,
  owned: DisposalStack,
): Promise<Forwarder> {
  const [file = "", ...args] = program.command;
  const { port: trunkPort } = trunks.address() as AddressInfo;
  const connected = once(trunks, "connection");
  const child = spawn(file, [...args, String(trunkPort)], { stdio: ["ignore", "pipe", "inherit"] });
  owned.defer(() => ended(child));
  const [trunk] = (await connected) as [Socket];
  owned.defer(() => void trunk.destroy());
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const sockets: Socket[] = [];
  for (let n = 0; n < players; n++) {
    const socket = connect({ port: Number(said), host: "127.0.0.1", noDelay: true });
    owned.defer(() => void socket.destroy());
    await once(socket, "connect");
    if (program.isWebSocket) {
      socket.write(HANDSHAKE);
      await once(socket, "data");
    }
    socket.resume();
    sockets.push(socket);
  }
  const forwarder = {
    ...program,
    pid: child.pid ?? 0,
    trunk,
    players: sockets,
    cameBytes: 0,
    sent: 0,
    cpuMs: 0,
  };
  trunk.on("data", (chunk: Buffer) => {
    forwarder.cameBytes += chunk.byteLength;
  });
  return forwarder;
}

/** Every player sends at a steady rate and is sent patches. */
async function play(forwarder: Forwarder, perSecond: number, counted: boolean): Promise<void> {
  const { players, trunk, pid, isWebSocket } = forwarder;
  const patch = Buffer.concat(players.map((_, player) => patchFor(player)));
  const dueBytes = forwarder.cameBytes;
  const beforeMs = cpuMsOf(pid);
  const start = performance.now();
  let [sent, patches] = [0, 0];
  while (performance.now() - start < SLICE_MS) {
    for (const player of players) player.write(SAID);
    sent += players.length;
    for (; patches < ((performance.now() - start) * PATCHES_PER_S) / 1000; patches++) trunk.write(patch);
    const due = start + ((sent / players.length) * 1000) / perSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  const wantedBytes = dueBytes + sent * (isWebSocket ? SAID_BYTES : SAID.byteLength);
  for (const untilMs = performance.now() + COME_MS; forwarder.cameBytes !== wantedBytes; ) {
    if (performance.now() > untilMs) throw new Error(`${forwarder.figure}: not all has come`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (!counted) return;
  forwarder.cpuMs += cpuMsOf(pid) - beforeMs;
  forwarder.sent += sent;
}

/** Player and length (16 bits each, little-endian), then the bytes. */
function patchFor(player: number): Buffer {
  const patch = Buffer.alloc(4 + PATCH_BYTES, 1);
  patch.writeUInt16LE(player);
  patch.writeUInt16LE(PATCH_BYTES, 2);
  return patch;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
