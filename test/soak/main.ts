/**
 * `npm run soak -- --minutes 10 --seed S`: players on both clients say frames of 1 B to 60 KB as fast as they are answered
 * with 1 B to 1 MB, while rooms move and gateways and room hosts are killed, one after the other. Nothing may be lost,
 * doubled or broken for a session that lives, and no process may grow.
 */
import { parseArgs } from "node:util";
import { quantileOf } from "@centroid/placement";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { Client, type Room } from "@colyseus/sdk";
import { Draw } from "../support/draw.js";
import { SoakPlayer } from "./player.js";
import { SoakWorld } from "./world.js";

const ROOM_TYPES = ["frames", "replicated-frames"];
/** Of each client in each room. */
const PLAYERS = 2;
/** Patience of a machine that is busy with all this. */
const PATIENCE_MS = 90_000;
const POLL_MS = 100;
/** After a fault everybody hears so many answers, and what they said is saved, before the next one. */
const ANSWERS = 5;
const SAVED_MS = 1_500;
const SAMPLE_MS = 1_000;
/** A process is judged if it lived so long; it has the buffers that it needs by the first half of that. */
const JUDGED_SAMPLES = 60;
/** Buffers of a megabyte come and go: what grows without end shows above this. */
const MAY_GROW = 1.25;
const MAY_GROW_BYTES = 64 * 1024 * 1024;
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error("use: npm run soak -- [--minutes 10] [--seed 1]");
  process.exit(2);
}
const startedAtMs = performance.now();
const say = (line: string): void =>
  console.log(`${((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
const draw = new Draw(seed);
const wrong: string[] = [];
const done = new Map<string, number>();
const count = (what: string): void => void done.set(what, (done.get(what) ?? 0) + 1);
const samples = new Map<string, number[]>();
say(`seed ${seed}, ${minutes} min`);

await using world = await SoakWorld.start();
const clients: CentroidClient[] = [];
const players: SoakPlayer[] = [];
const roomIds: string[] = [];
for (const [at, type] of ROOM_TYPES.entries()) {
  const roomId = await joinAll(type, at);
  roomIds.push(roomId);
}
for (const player of players) player.start();
const sampling = setInterval(() => void sample(), SAMPLE_MS);
const endsAtMs = performance.now() + minutes * 60_000;
while (performance.now() < endsAtMs && wrong.length === 0) await strike();
clearInterval(sampling);

for (const player of players) player.quiet();
await until("everything is answered", () => players.every(({ complete }) => complete));
for (const { name, room, said, wrong: its } of players) {
  const entry = await world.entryOf(room.roomId, room.sessionId);
  if (entry.last !== said || entry.count !== said || entry.wrong !== 0)
    wrong.push(`${name} said ${said}, the room has ${JSON.stringify(entry)}`);
  wrong.push(...its.map((what) => `${name}: ${what}`));
}
judgeGrowth();
const frames = players.reduce((sum, { said }) => sum + said, 0);
const bytes = players.reduce((sum, { answeredBytes }) => sum + answeredBytes, 0);
await Promise.all(players.map((player) => player.leave()));
for (const client of clients) client.dispose();
console.table(Object.fromEntries(done));
say(`${players.length} players said ${frames} frames and heard ${(bytes / MIB).toFixed(0)} MiB`);
for (const what of wrong) console.log(`VIOLATION ${what}`);
say(wrong.length === 0 ? "nothing is wrong" : `${wrong.length} violations, seed ${seed}`);
process.exitCode = wrong.length === 0 ? 0 : 1;

async function joinAll(type: string, at: number): Promise<string> {
  const urls = world.gatewayUrls;
  let roomId: string | undefined;
  for (let number = 0; number < PLAYERS; number++) {
    const client = new CentroidClient(urls, { probing: false });
    clients.push(client);
    const room: CentroidRoom =
      roomId === undefined ? await client.create(type) : await client.joinById(roomId);
    roomId = room.roomId;
    room.onMigrate(({ lost, duplicated }) => {
      count("session moved");
      if (duplicated > 0) wrong.push(`${lost} lost, ${duplicated} doubled in a move`);
    });
    players.push(new SoakPlayer(`${type} ${number}`, room as never, new Draw(seed + 100 * at + number)));
    const stock: Room = await new Client(urls[number % urls.length] ?? "").joinById(roomId);
    stock.reconnection.minUptime = 0;
    stock.reconnection.maxRetries = 1_000;
    const player = new SoakPlayer(
      `${type} ${number}, stock client`,
      stock as never,
      new Draw(seed + 100 * at + 50 + number),
    );
    stock.onReconnect(() => {
      count("stock client reconnected");
      player.reconnected();
    });
    players.push(player);
  }
  return roomId ?? "";
}

/** One thing happens; then all goes on. */
async function strike(): Promise<void> {
  const what = draw.unit();
  const roomId = draw.of(roomIds);
  const room = await world.room(roomId);
  if (what < 0.7) {
    const others = world.hostIds.filter((hostId) => hostId !== room.hostId);
    // Often to its standby, if it has one.
    const hostId = draw.unit() < 0.5 ? (room.standbyHostId ?? draw.of(others)) : draw.of(others);
    const receipt = await world.move(roomId, hostId);
    const how = receipt?.promoted === true ? "room moved to its standby" : "room moved";
    count(receipt?.outcome === "completed" ? how : "move called off");
    const why = receipt?.error === undefined ? "" : ` (${receipt.error.code}: ${receipt.error.message})`;
    say(`${roomId} ${how} to ${hostId}: ${receipt?.outcome ?? "refused"}${why}`);
    await goesOn(0);
  } else if (what < 0.85) {
    const at = draw.below(world.gatewayUrls.length);
    say(`gateway ${at} killed`);
    count("gateway killed");
    await world.killGateway(at);
    await goesOn(SAVED_MS);
  } else {
    say(`room host of ${room.hostId} killed`);
    count("room host killed");
    world.killRoomHosts(room.hostId);
    await goesOn(SAVED_MS);
  }
}

async function goesOn(thenMs: number): Promise<void> {
  const before = players.map(({ answered }) => answered);
  await until("everybody hears answers again", () =>
    players.every(({ answered }, at) => answered >= (before[at] ?? 0) + ANSWERS),
  );
  await new Promise((resolve) => setTimeout(resolve, thenMs));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) {
      const states = players.map(
        ({ name, said, answered, wrong: its }) => `${name} ${answered}/${said} ${its}`,
      );
      wrong.push(`not within ${PATIENCE_MS / 1000} s: ${what}: ${states.join("; ")}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function sample(): Promise<void> {
  for (const [name, resident] of await world.memory()) {
    const of = samples.get(name);
    if (of === undefined) samples.set(name, [resident]);
    else of.push(resident);
  }
}

/** The last quarter of each process' life against the one before its middle. */
function judgeGrowth(): void {
  for (const [name, of] of samples) {
    if (of.length < JUDGED_SAMPLES) continue;
    const quarter = Math.floor(of.length / 4);
    const before = quantileOf(of.slice(quarter, 2 * quarter), 0.5);
    const after = quantileOf(of.slice(-quarter), 0.5);
    say(`${name}: ${(before / MIB).toFixed(0)} MiB, later ${(after / MIB).toFixed(0)} MiB`);
    if (after > before * MAY_GROW + MAY_GROW_BYTES) wrong.push(`${name} grew`);
  }
}
